/** One row of a list on the page, kept for as long as its item is in the list. */
export interface Row<T> {
  readonly node: HTMLElement;
  update(item: T): void;
}

/**
 * Keeps the children of an element in step with a list: a row is made once for each key, updated in
 * place, moved only where the order changed, so that focus, selection and scrolling survive.
 */
export class Rows<T> {
  private readonly rows = new Map<string, Row<T>>();

  constructor(
    private readonly parent: HTMLElement,
    private readonly keyOf: (item: T) => string,
    private readonly make: (item: T) => Row<T>,
  ) {}

  update(items: readonly T[]): void {
    const wanted = new Set(items.map(this.keyOf));
    for (const [key, row] of this.rows) {
      if (wanted.has(key)) continue;
      row.node.remove();
      this.rows.delete(key);
    }
    let place = this.parent.firstChild;
    for (const item of items) {
      const key = this.keyOf(item);
      const row = this.rows.get(key) ?? this.make(item);
      this.rows.set(key, row);
      row.update(item);
      if (row.node === place) place = place.nextSibling;
      else this.parent.insertBefore(row.node, place);
    }
  }
}
