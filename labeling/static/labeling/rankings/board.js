// The state of the board: the shelf of each completion, and the line of acceptability. Knows nothing of the
// page. Shelf 1 is the best; completions on one shelf are tied; empty shelves are ignored. Everything from
// shelf `line` on is unacceptable; a line past the last shelf means that all are acceptable.

export class Board {
  constructor(ids, numShelves) {
    this.ids = ids;
    this.numShelves = numShelves;
    this.shelves = new Map(ids.map((id) => [id, null]));
    this.line = numShelves + 1;
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
    return { shelves: Object.fromEntries(this.shelves), line: this.line };
  }

  // Load a snapshot, ignoring ids that are not on this board.
  restore(snapshot) {
    for (const id of this.ids) {
      const shelf = snapshot.shelves?.[id];
      this.shelves.set(id, Number.isInteger(shelf) && shelf >= 1 && shelf <= this.numShelves ? shelf : null);
    }
    this.line = Number.isInteger(snapshot.line) ? snapshot.line : this.numShelves + 1;
  }

  change(act) {
    const before = this.snapshot();
    act();
    if (!this.ids.some((id) => this.isUnacceptable(id))) this.line = this.numShelves + 1;
    if (JSON.stringify(before) === JSON.stringify(this.snapshot())) return false;
    this.past.push(before);
    return true;
  }
}
