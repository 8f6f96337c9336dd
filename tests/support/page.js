// Runs the dashboard's script without a browser: the little of the DOM that it uses.
// Arguments: script, address of the page. Prints the page as JSON: [tag, attributes, children].
const fs = require("node:fs");
const vm = require("node:vm");

class Element {
  constructor(tag) {
    Object.assign(this, { tag, attributes: {}, children: [], dataset: {}, hidden: false, value: "", listeners: {} });
  }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  removeAttribute(name) { delete this.attributes[name]; }
  append(...children) { this.children.push(...children); }
  replaceChildren(...children) { this.children = children; }
  addEventListener(name, listener) { this.listeners[name] = listener; }
  set textContent(text) { this.children = [String(text)]; }
  get textContent() { return this.children.map((child) => child.textContent ?? child).join(""); }
  get hash() { return this.attributes.href; }
  toJSON() { return [this.tag, this.attributes, this.children]; }
}

const [script, address] = process.argv.slice(2);
const page = new URL(address);
const elements = {};
const byId = (id) => (elements[id] ??= new Element(id));
const document = {
  baseURI: page.origin + page.pathname,
  documentElement: new Element("html"),
  hidden: false,
  createElement: (tag) => new Element(tag),
  getElementById: byId,
  addEventListener() {},
};
byId("search").value = page.searchParams.get("search") ?? "";
const printed = () => { console.log(JSON.stringify([byId("view"), byId("trouble"), byId("name"), byId("tabs")])); process.exit(0); };
vm.runInNewContext(fs.readFileSync(script, "utf8"), {
  document,
  location: { hash: page.hash },
  fetch, URL, URLSearchParams, Promise, console,
  localStorage: { getItem: () => null, setItem() {} },
  matchMedia: () => ({ matches: false }),
  addEventListener() {},
  clearTimeout() {},
  setTimeout: () => setTimeout(printed, 300), // It has drawn and waits for the next look.
});
