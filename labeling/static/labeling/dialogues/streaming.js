// Shows the text of a sampling run as it is streamed, and fetches the rendered fragment at the end.
// Where no event stream gets through (a proxy, a sleeping tab) it polls every two seconds.

const ASK_AGAIN_AFTER = 2000;
const SILENT_AFTER = 10_000; // a proxy that holds a stream back reports no error: only the silence tells
const MOST_FAILURES = 2;
let streamsGetThrough = "EventSource" in window;

function refresh(run) {
  if (!run.isConnected) return;
  const target = document.querySelector(run.dataset.target);
  const asked = htmx.ajax("GET", run.dataset.fragment, { target, swap: "outerHTML" });
  // A response takes the run's element away. One that is lost leaves it there, and it is asked for again.
  asked.catch(() => {}).then(() => setTimeout(() => refresh(run), ASK_AGAIN_AFTER));
}

function paint(run, { index, text }) {
  const prose = run.querySelector(`.candidate[data-index="${index}"] .prose`);
  if (!prose) return;
  if (run.dataset.state !== "running") {
    run.dataset.state = "running";
    run.querySelector(".sentence").textContent = run.dataset.writing;
  }
  prose.classList.add("is-streaming");
  prose.append(text);
}

function follow(run) {
  if (!streamsGetThrough) { setTimeout(() => refresh(run), ASK_AGAIN_AFTER); return; }
  const source = new EventSource(run.dataset.stream);
  let failures = 0;
  const silence = setTimeout(() => { source.close(); refresh(run); }, SILENT_AFTER);
  const heard = () => { failures = 0; clearTimeout(silence); };
  source.addEventListener("text", (event) => { heard(); paint(run, JSON.parse(event.data)); });
  source.addEventListener("again", () => {
    heard();
    for (const prose of run.querySelectorAll(".candidate .prose")) prose.textContent = "";
  });
  source.addEventListener("finished", () => { source.close(); refresh(run); });
  source.onerror = () => {
    failures += 1;
    if (!run.isConnected) { source.close(); return; }
    if (source.readyState !== EventSource.CLOSED && failures < MOST_FAILURES) return;
    source.close();
    streamsGetThrough = false;
    refresh(run);
  };
  run.addEventListener("htmx:beforeCleanupElement", () => { clearTimeout(silence); source.close(); });
}

document.addEventListener("htmx:load", (event) => {
  const added = event.detail.elt;
  const runs = [...added.querySelectorAll("[data-stream]")];
  if (added.matches("[data-stream]")) runs.push(added);
  for (const run of runs) if (!run.dataset.followed) { run.dataset.followed = "yes"; follow(run); }
});
