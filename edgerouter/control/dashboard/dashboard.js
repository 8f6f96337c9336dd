"use strict";
// Shows what the API says. All of it goes into the page as text, never as markup:
// names, rules and errors come from labels that anybody may have written.

const API = new URL("../api/", document.baseURI);
const EVERY = 5000; // Milliseconds between two looks.
const PAGE = 100; // Elements that are shown at first, and added by "More".

const byId = (id) => document.getElementById(id);

// Makes an element; null and empty children are left out.
function make(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

async function read(path, parameters) {
  const url = new URL(path, API);
  url.search = new URLSearchParams(parameters || {});
  const answer = await fetch(url, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${url.pathname}: ${answer.status} ${answer.statusText}`);
  return { data: await answer.json(), next: Number(answer.headers.get("X-Next-Page") || 1) };
}

const get = async (path) => (await read(path)).data;

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "" && value.length !== 0);
  return shown.length ? make("dl", {}, shown.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])) : null;
}

const code = (text) => (text ? make("code", {}, text) : "");
const list = (values) => (values || []).join(", ");

function element(title, status, ...rest) {
  return make("article", { class: `element ${status}` }, make("h3", {}, title, make("span", { class: "state" }, status)), rest);
}

const errors = (item, tone) => [].concat(item.error || []).map((text) => make("p", { class: tone || (item.status === "warning" ? "odd" : "bad") }, text));

function origin(item) {
  const own = item.edgerouter || {};
  return [["Source", own.source], ["Set by", code(own.key)]];
}

function router(item) {
  return element(item.name, item.status, errors(item), facts([
    ["Rule", code(item.rule)],
    ["Entry points", list(item.using || item.entryPoints)],
    ["Below", list(item.parentRefs)],
    ["Service", item.service],
    ["Middlewares", list(item.middlewares)],
    ["Priority", item.priorityStr || String(item.priority)],
    ["TLS", item.tls ? item.tls.certResolver || "yes" : ""],
    ...origin(item),
  ]));
}

function servers(item) {
  const states = item.serverStatus || {};
  return Object.keys(states).sort().map((url) =>
    make("div", {}, code(url), " ", make("span", { class: states[url] === "UP" ? "good" : "bad" }, states[url])));
}

function service(item) {
  return element(item.name, item.status, errors(item), facts([
    ["Type", item.type],
    ["Servers", servers(item)],
    ["Used by", list(item.usedBy)],
    ...origin(item),
  ]));
}

const options = (item) => Object.entries(item).find(([, value]) => value && typeof value === "object" && !Array.isArray(value));

function middleware(item) {
  const { edgerouter, ...rest } = item;
  const [, values] = options(rest) || [];
  return element(item.name, item.status, errors(item), facts([
    ["Type", item.type],
    ["Options", values ? code(JSON.stringify(values)) : ""],
    ["Used by", list(item.usedBy)],
    ...origin(item),
  ]));
}

function diagnostic(item) {
  return element(item.element || item.key || item.source || item.provider || "configuration", item.severity,
    make("p", { class: item.severity === "error" ? "bad" : "odd" }, item.message),
    facts([["Provider", item.provider], ["Source", item.source], ["Set by", code(item.key)]]));
}

const when = (text) => (text ? new Date(text).toLocaleString() : "");
const TONES = { valid: "enabled", failing: "disabled" };

// What a resolver is to obtain; the reason is that of the last failure or of the wait.
function plan(item) {
  const tone = item.state === "failing" ? "bad" : "odd";
  return make("article", { class: `element ${TONES[item.state] || "warning"}` },
    make("h3", {}, list(item.names) || item.resolver, make("span", { class: "state" }, item.state)),
    item.reason ? make("p", { class: tone }, item.reason) : null,
    facts([
      ["Resolver", item.resolver],
      ["Routers", list(item.routers)],
      ["Ends", when(item.notAfter)],
      ["Renewal", item.state === "valid" ? when(item.renewal) : ""],
      ["Next try", item.state === "valid" ? "" : when(item.nextLook)],
    ]));
}

function certificate(item) {
  const own = item.edgerouter || {};
  return element(list(item.sans) || item.commonName, item.status, own.reason ? make("p", { class: "bad" }, own.reason) : null, facts([
    ["Ends", when(item.notAfter)],
    ["Renewal", when(own.renewal)],
    ["From", own.origin],
    ["Issuer", item.issuerCN],
    ["Key", `${item.keyType || ""} ${item.keySize || ""}`.trim()],
  ]));
}

async function certificates() {
  const wanted = byId("search").value.trim().toLowerCase();
  const fits = (item) => JSON.stringify(item).toLowerCase().includes(wanted);
  const [plans, served] = await Promise.all([get("edgerouter/certificates"), everything("certificates")]);
  const shownPlans = plans.filter(fits), shownServed = served.filter(fits);
  return [
    make("h2", {}, `Wanted of resolvers (${shownPlans.length})`), shownPlans.slice(0, PAGE).map(plan),
    make("h2", {}, `Served (${shownServed.length})`), shownServed.slice(0, PAGE).map(certificate),
  ];
}

async function everything(path) {
  const found = [];
  for (let next = 1; ;) {
    const page = await read(path, { per_page: 1000, page: next });
    found.push(...page.data);
    if (page.next <= next) return found;
    next = page.next;
  }
}

function counts(title, kind, found) {
  const { total, warnings, errors: broken } = found;
  return make("a", { class: "card", href: `#${kind}` }, title, make("b", {}, String(total)),
    broken ? make("span", { class: "bad" }, `${broken} disabled `) : "",
    warnings ? make("span", { class: "odd" }, `${warnings} with a warning`) : "",
    broken || warnings ? "" : make("span", { class: "good" }, "all well"));
}

function provider(item) {
  const last = item.lastPublication ? new Date(item.lastPublication * 1000).toLocaleString() : "never";
  return element(item.name, item.status, errors(item, "bad"), facts([["Last change", last], ["Failures", String(item.failures || "")], ["Fenced", list(item.fenced)]]));
}

function entryPoint(item) {
  return element(item.name, "", facts([["Address", code(item.address)], ["Listens on", code((item.edgerouter || {}).listening)]]));
}

function worker(item) {
  const state = item.ready ? "ready" : "starting";
  return element(`Worker ${item.worker}`, state, facts([
    ["Process", String(item.pid || "")], ["Configuration", String(item.version)],
    ["Restarts", String(item.restarts || "")], ["Last end", item.lastExit],
  ]));
}

async function overview() {
  const [all, providers, points, workers, found] = await Promise.all(
    ["overview", "edgerouter/providers", "entrypoints", "edgerouter/workers", "edgerouter/diagnostics"].map(get));
  const { http } = all;
  const problems = found.length
    ? [make("h2", {}, make("a", { href: "#problems" }, `Problems (${found.length})`)), found.slice(0, 5).map(diagnostic)]
    : [];
  return [
    make("h2", {}, "HTTP"),
    make("div", { class: "cards" }, counts("Routers", "routers", http.routers),
      counts("Services", "services", http.services), counts("Middlewares", "middlewares", http.middlewares)),
    ...problems,
    make("h2", {}, "Providers"), providers.length ? providers.map(provider) : make("p", { class: "faint" }, "None is configured."),
    make("h2", {}, "Entry points"), points.map(entryPoint),
    make("h2", {}, "Workers"), workers.map(worker),
  ];
}

let shown = 1; // Pages of a list.

function listing(kind, draw) {
  return async () => {
    const parameters = { per_page: PAGE, sortBy: "name", search: byId("search").value.trim(), status: byId("status").value };
    const parts = [];
    let next = 1;
    do {
      const page = await read(`http/${kind}`, { ...parameters, page: next });
      parts.push(...page.data.map(draw));
      if (page.next <= next) { next = 1; break; }
      next = page.next;
    } while (next <= shown);
    if (!parts.length) parts.push(make("p", { class: "faint" }, "Nothing fits."));
    if (next > 1) {
      const more = make("button", { type: "button" }, "More");
      more.addEventListener("click", () => { shown += 1; look(); });
      parts.push(more);
    }
    return parts;
  };
}

async function problems() {
  const wanted = byId("search").value.trim().toLowerCase();
  const found = (await get("edgerouter/diagnostics")).filter((item) => JSON.stringify(item).toLowerCase().includes(wanted));
  return found.length ? found.map(diagnostic) : [make("p", { class: "good" }, "No problems.")];
}

const VIEWS = {
  overview: { title: "Overview", draw: overview },
  routers: { title: "Routers", draw: listing("routers", router), search: true, status: true },
  services: { title: "Services", draw: listing("services", service), search: true, status: true },
  middlewares: { title: "Middlewares", draw: listing("middlewares", middleware), search: true, status: true },
  certificates: { title: "Certificates", draw: certificates, search: true },
  problems: { title: "Problems", draw: problems, search: true },
};

const current = () => (location.hash.slice(1) in VIEWS ? location.hash.slice(1) : "overview");
let turn = 0; // Answers to an older question are thrown away.
let timer = 0;

async function look() {
  clearTimeout(timer);
  const mine = ++turn;
  const trouble = byId("trouble");
  try {
    const parts = await VIEWS[current()].draw();
    if (mine !== turn) return;
    byId("view").replaceChildren(...parts.flat());
    trouble.hidden = true;
  } catch (error) {
    if (mine !== turn) return;
    trouble.textContent = `The API does not answer, this may be old: ${error.message}`;
    trouble.hidden = false;
  }
  if (!document.hidden) timer = setTimeout(look, EVERY);
}

function go() {
  const view = VIEWS[current()];
  shown = 1;
  byId("tools").hidden = !view.search;
  byId("status").hidden = !view.status;
  for (const link of byId("tabs").children) {
    if (link.hash.slice(1) === current()) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  look();
}

function theme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  localStorage.setItem("edgerouter-theme", root.dataset.theme);
}

function start() {
  const chosen = localStorage.getItem("edgerouter-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
  byId("tabs").append(...Object.entries(VIEWS).map(([name, view]) => make("a", { href: `#${name}` }, view.title)));
  byId("theme").addEventListener("click", theme);
  byId("search").addEventListener("input", () => { shown = 1; clearTimeout(timer); timer = setTimeout(look, 200); });
  byId("status").addEventListener("change", () => { shown = 1; look(); });
  addEventListener("hashchange", go);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  get("version").then((version) => {
    byId("name").textContent = version.dashboardName || `edgerouter ${version.Version}`;
    document.title = byId("name").textContent;
  }).catch(() => {});
  go();
}

start();
