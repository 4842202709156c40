// A board that the browser brings back from its memory may have been submitted since: ask the server what it is now.

addEventListener("pageshow", (event) => {
  if (event.persisted) location.reload();
});
