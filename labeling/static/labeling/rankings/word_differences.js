// Which words of two texts differ: the shortest way from one to the other by Myers (1986), O((N+M)D). It knows no page.
// The way is looked for up to MOST_CHANGES words, some hundredths of a second; texts further apart than that share too
// little to be laid beside each other, and then what only one of them says differs.

// Paragraphs are parted by a NUL, which is no word.

const MOST_CHANGES = 2000;
const MOST_WORDS = 20_000; // of each text; what comes after them is not compared

export function words(text) {
  const found = [];
  for (const { index, 0: word } of text.matchAll(/[\p{L}\p{N}\p{M}_]+|[^\s\0\p{L}\p{N}\p{M}_]/gu)) {
    if (found.length === MOST_WORDS) break;
    found.push({ word, from: index, to: index + word.length });
  }
  return found;
}

// {isAligned, one, other}: of each text the parts that differ as [from, to], and `num` words of them.
export function differences(one, other) {
  const [ours, theirs] = [words(one), words(other)];
  const [a, b] = [ours.map(({ word }) => word), theirs.map(({ word }) => word)];
  const kept = align(a, b);
  const [keptOfOne, keptOfOther] = kept ?? [inBoth(a, b), inBoth(b, a)];
  return { isAligned: kept !== null, one: parts(ours, keptOfOne), other: parts(theirs, keptOfOther) };
}

function inBoth(list, others) {
  const known = new Set(others);
  return list.map((word) => known.has(word));
}

// Neighbouring words that differ are one part.
function parts(list, kept) {
  const found = [];
  let num = 0;
  for (const [index, { from, to }] of list.entries()) {
    if (kept[index]) continue;
    num += 1;
    if (index && !kept[index - 1]) found.at(-1)[1] = to;
    else found.push([from, to]);
  }
  return { parts: found, num };
}

// For each word of either whether it is kept on the shortest way; null where that way is too long. Diagonal k holds the
// places (x, x − k), and `reach` the furthest x on each.
function align(a, b) {
  const limit = Math.min(a.length + b.length, MOST_CHANGES);
  const middle = limit + 1;
  const reach = new Int32Array(2 * limit + 3);
  const past = [];
  for (let changes = 0; changes <= limit; changes += 1) {
    for (let k = -changes; k <= changes; k += 2) {
      let x = comesFromAbove(k, changes, (at) => reach[middle + at]) ? reach[middle + k + 1] : reach[middle + k - 1] + 1;
      while (x < a.length && x - k < b.length && a[x] === b[x - k]) x += 1;
      reach[middle + k] = x;
      if (x >= a.length && x - k >= b.length) return wayBack(a.length, b.length, past);
    }
    past.push(reach.slice(middle - changes, middle + changes + 1));
  }
  return null;
}

function comesFromAbove(k, changes, reach) {
  return k === -changes || (k !== changes && reach(k - 1) < reach(k + 1));
}

function wayBack(numOfOne, numOfOther, past) {
  const kept = [new Array(numOfOne).fill(false), new Array(numOfOther).fill(false)];
  let [x, y] = [numOfOne, numOfOther];
  for (let changes = past.length; changes >= 0; changes -= 1) {
    const reach = (k) => past[changes - 1][k + changes - 1];
    const k = x - y;
    const before = changes && (comesFromAbove(k, changes, reach) ? k + 1 : k - 1);
    const [fromX, fromY] = changes ? [reach(before), reach(before) - before] : [0, 0];
    while (x > fromX && y > fromY) {
      x -= 1;
      y -= 1;
      kept[0][x] = kept[1][y] = true;
    }
    [x, y] = [fromX, fromY];
  }
  return kept;
}
