/**
 * The little that this page needs of a view library: elements from a description, writes that touch the document only
 * when something changed, and lists whose rows keep their identity (and the keyboard focus) while they move.
 */

const SVG = "http://www.w3.org/2000/svg";

/**
 * @typedef {Record<string, string | number | boolean | undefined | ((event: Event) => void)>} Attributes
 *   `false` and `undefined` remove an attribute, `true` sets it empty, `on…` with a function adds a listener.
 */

/**
 * @param {Element} element
 * @param {Attributes} attributes
 * @param {(Node | string)[]} children
 */
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else setAttribute(element, name, value);
  }
  element.append(...children);
  return element;
}

/**
 * An HTML element.
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function h(tag, attributes = {}, ...children) {
  return /** @type {HTMLElementTagNameMap[T]} */ (fill(document.createElement(tag), attributes, children));
}

/**
 * An SVG element.
 * @template {keyof SVGElementTagNameMap} T
 * @param {T} tag
 * @param {Attributes} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElementTagNameMap[T]}
 */
export function s(tag, attributes = {}, ...children) {
  return /** @type {SVGElementTagNameMap[T]} */ (fill(document.createElementNS(SVG, tag), attributes, children));
}

/**
 * One of the page's icons (the `<symbol>`s of index.html); decoration only, the text beside it carries the meaning.
 * @param {string} name
 */
export function icon(name) {
  return s("svg", { class: "icon", "aria-hidden": "true" }, s("use", { href: `#icon-${name}` }));
}

/**
 * An element of index.html.
 * @template {typeof Element} [T=typeof HTMLElement]
 * @param {string} id
 * @param {T} [kind] what it must be
 * @returns {InstanceType<T>}
 */
export function byId(id, kind = /** @type {any} */ (Element)) {
  const element = document.getElementById(id);
  if (!(element instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return /** @type {InstanceType<T>} */ (element);
}

/**
 * @param {Node} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | undefined} value
 */
export function setAttribute(element, name, value) {
  if (value === undefined || value === false) {
    if (element.hasAttribute(name)) element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) element.setAttribute(name, text);
}

/**
 * @param {Element} element
 * @param {Record<string, string | number | boolean | undefined>} attributes
 */
export function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(element, name, value);
}

/**
 * One row of a keyed list.
 * @template Item
 * @typedef {{ root: Element, update(item: Item): void }} Row
 */

/** @type {WeakMap<Element, Map<string, Row<any>>>} */
const rowsOf = new WeakMap();

/**
 * Makes the children of `parent` show `items`, in their order. A row is made once for each key and updated from then on.
 * @template Item
 * @param {Element} parent holds nothing but these rows
 * @param {readonly Item[]} items
 * @param {(item: Item) => string} keyOf
 * @param {(item: Item) => Row<Item>} create
 */
export function keyed(parent, items, keyOf, create) {
  let rows = rowsOf.get(parent);
  if (!rows) rowsOf.set(parent, (rows = new Map()));
  const focused = document.activeElement;
  const wanted = new Set();
  /** @type {Element | null} */
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    wanted.add(key);
    let row = rows.get(key);
    if (!row) rows.set(key, (row = create(item)));
    row.update(item);
    if (row.root === next) next = next.nextElementSibling;
    else parent.insertBefore(row.root, next);
  }
  for (const [key, row] of rows) {
    if (wanted.has(key)) continue;
    row.root.remove();
    rows.delete(key);
  }
  // Moving an element takes the focus from it, and from what is in it.
  if (focused !== document.activeElement && focused instanceof HTMLElement && focused.isConnected) {
    focused.focus({ preventScroll: true });
  }
}

/**
 * A function that asks for `render` to run in the next animation frame, however often it is called before that.
 * @param {() => void} render
 */
export function oncePerFrame(render) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      render();
    });
  };
}
