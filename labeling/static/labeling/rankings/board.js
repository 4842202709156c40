// The state of the board: the shelf of each completion, and the line of acceptability. Knows nothing of the
// page. Shelf 1 is the best; completions on one shelf are tied; empty shelves are ignored. Everything from
// shelf `line` on is unacceptable; a line past the last shelf means that all are acceptable. A gap lies between two
// neighbouring tiers, and has a strength: how much better the upper one is. It was said of those completions, so it goes
// once one of the two tiers is another.

export const STRONGEST = 3;

export class Board {
  constructor(ids, numShelves) {
    this.ids = ids;
    this.numShelves = numShelves;
    this.shelves = new Map(ids.map((id) => [id, null]));
    this.line = numShelves + 1;
    this.strengths = new Map(); // by what stands above and below
    this.past = [];
  }

  // ---- Changes. Each returns true if something changed.

  place(id, shelf) {
    return this.change(() => this.shelves.set(id, Math.min(Math.max(shelf, 1), this.numShelves)));
  }

  unplace(id) {
    return this.change(() => this.shelves.set(id, null));
  }

  move(id, step) {
    const shelf = this.shelves.get(id);
    return this.place(id, shelf === null ? 1 : shelf + step);
  }

  tieWithAbove(id) {
    const order = this.order();
    const above = order[order.indexOf(id) - 1];
    const shelf = above === undefined ? null : this.shelves.get(above);
    return shelf === null ? false : this.place(id, shelf);
  }

  // Move the line so that this completion becomes unacceptable, or acceptable again. An unranked one goes to the
  // last shelf, below the line.
  toggleUnacceptable(id) {
    return this.change(() => {
      if (this.shelves.get(id) === null) {
        this.shelves.set(id, this.numShelves);
        this.line = Math.min(this.line, this.numShelves);
      } else if (this.isUnacceptable(id)) {
        this.line = this.shelves.get(id) + 1;
      } else {
        this.line = this.shelves.get(id);
      }
    });
  }

  // If no completion is placed yet, order them by their ratings, best first; equal ratings tie.
  sortByRatings(ratings) {
    const distinct = [...new Set(this.ids.map((id) => ratings.get(id)))].sort((a, b) => b - a);
    return this.change(() => {
      for (const id of this.ids) this.shelves.set(id, distinct.indexOf(ratings.get(id)) + 1);
    });
  }

  // How much better what stands above this shelf is; 0 takes back what was said.
  say(lower, strength) {
    const between = this.between(lower);
    if (between === null || strength < 0 || strength > STRONGEST) return false;
    return this.change(() => this.strengths.set(between, strength));
  }

  undo() {
    const before = this.past.pop();
    if (before === undefined) return false;
    this.restore(before);
    return true;
  }

  // ---- Queries.

  isUnacceptable(id) {
    return this.shelves.get(id) !== null && this.shelves.get(id) >= this.line;
  }

  isComplete() {
    return this.ids.every((id) => this.shelves.get(id) !== null);
  }

  unplaced() {
    return this.ids.filter((id) => this.shelves.get(id) === null);
  }

  on(shelf) {
    return this.ids.filter((id) => this.shelves.get(id) === shelf);
  }

  // Of each gap the shelf above it and the shelf below it.
  gaps() {
    const taken = Array.from({ length: this.numShelves }, (_, index) => index + 1).filter((shelf) => this.on(shelf).length);
    return taken.slice(1).map((lower, index) => [taken[index], lower]);
  }

  // What stands above this shelf and on it, as text; null where either is empty.
  between(lower) {
    const gap = this.gaps().find(([, below]) => below === lower);
    return gap ? gap.map((shelf) => this.on(shelf)).join(">") : null;
  }

  strengthAbove(lower) {
    return this.strengths.get(this.between(lower)) ?? 0;
  }

  // Ids in the order of the page: the unranked first, then shelf by shelf.
  order() {
    const shelves = Array.from({ length: this.numShelves }, (_, index) => this.on(index + 1));
    return [...this.unplaced(), ...shelves.flat()];
  }

  // Pairs whose ratings and ranks disagree, as [better rated, better ranked].
  contradictions(ratings) {
    const found = [];
    for (const one of this.ids) {
      for (const other of this.ids) {
        const ranked = this.shelves.get(one) !== null && this.shelves.get(other) !== null;
        const rated = ratings.get(one) > ratings.get(other);
        if (ranked && rated && this.shelves.get(one) > this.shelves.get(other)) found.push([one, other]);
      }
    }
    return found;
  }

  snapshot() {
    const said = this.gaps().map(([, lower]) => [lower, this.strengthAbove(lower)]).filter(([, strength]) => strength);
    return { shelves: Object.fromEntries(this.shelves), line: this.line, strengths: Object.fromEntries(said) };
  }

  // Load a snapshot, ignoring ids that are not on this board.
  restore(snapshot) {
    for (const id of this.ids) {
      const shelf = snapshot.shelves?.[id];
      this.shelves.set(id, Number.isInteger(shelf) && shelf >= 1 && shelf <= this.numShelves ? shelf : null);
    }
    this.line = Number.isInteger(snapshot.line) ? snapshot.line : this.numShelves + 1;
    this.strengths.clear();
    for (const [, lower] of this.gaps()) {
      const strength = snapshot.strengths?.[lower];
      if (Number.isInteger(strength) && strength >= 1 && strength <= STRONGEST) this.strengths.set(this.between(lower), strength);
    }
  }

  change(act) {
    const before = this.snapshot();
    act();
    const standing = new Set(this.gaps().map(([, lower]) => this.between(lower)));
    for (const between of this.strengths.keys()) if (!standing.has(between)) this.strengths.delete(between);
    if (!this.ids.some((id) => this.isUnacceptable(id))) this.line = this.numShelves + 1;
    if (JSON.stringify(before) === JSON.stringify(this.snapshot())) return false;
    this.past.push(before);
    return true;
  }
}
