// Markdown to DOM: parsed by marked, formulas by KaTeX, code coloured by Prism, and the whole result sanitised last by
// DOMPurify. HTML in an answer is shown as text. Without the libraries everything is shown as plain text.

const languages = {
  bash: [], c: ["clike"], clike: [], cpp: ["c"], css: [], diff: [], docker: [], fortran: [], go: ["clike"], haskell: [],
  java: ["clike"], javascript: ["clike"], json: [], julia: [], latex: [], makefile: [], markup: [], matlab: [],
  python: [], r: [], rust: [], sql: [], swift: [], toml: [], typescript: ["javascript"], yaml: [],
};
const aliases = {
  "c++": "cpp", dockerfile: "docker", html: "markup", js: "javascript", make: "makefile", py: "python", rs: "rust",
  sh: "bash", shell: "bash", svg: "markup", tex: "latex", ts: "typescript", xml: "markup", yml: "yaml", zsh: "bash",
};
// The properties that KaTeX sets; anything else in a style is dropped.
const styleProperties = new Set([
  "background-color", "border-bottom-width", "border-color", "border-left-width", "border-right-style",
  "border-right-width", "border-style", "border-top-width", "border-width", "bottom", "color", "height", "left",
  "margin-left", "margin-right", "margin-top", "min-width", "padding-left", "position", "top", "vertical-align", "width",
]);

let vendor = "";
let purify = null;
const loading = new Map();

/** Loads what the page's script tags did not. Returns whether answers can be formatted. */
export async function prepare(vendorPath) {
  vendor = vendorPath;
  if (!vendor || !window.marked) return false;
  try {
    purify = (await import(vendor + "/dompurify.mjs")).default;
  } catch {
    return false;
  }
  window.marked.use({
    mangle: false, headerIds: false,
    extensions: [displayBlock, displayInline, inlineFormula],
    renderer: {
      html: escapeHTML, code: renderCode, link: renderLink, image: renderLink,
      checkbox: (isChecked) => (isChecked ? "☑ " : "☐ "),
    },
  });
  return true;
}

/** Sanitised nodes for a piece of Markdown; null when it cannot be formatted. */
export function render(markdown) {
  if (!purify) return null;
  let html;
  try {
    html = window.marked.parse(markdown);
  } catch {
    return null;
  }
  const fragment = purify.sanitize(html, {
    RETURN_DOM_FRAGMENT: true,
    USE_PROFILES: { html: true, mathMl: true, svg: true },
    FORBID_TAGS: ["audio", "button", "form", "img", "image", "input", "select", "source", "style", "textarea", "video"],
    FORBID_ATTR: ["style", "id", "name"],
    ADD_ATTR: ["target"],
  });
  for (const element of fragment.querySelectorAll("[data-style]")) applyStyle(element);
  return fragment;
}

/** Loads the grammars that a piece of Markdown names and that are not here yet. Returns whether any came. */
export async function loadGrammars(markdown) {
  const wanted = new Set([...markdown.matchAll(/^[ \t>]*(?:`{3,}|~{3,}) *([\w+#-]+)/gm)].map((match) => grammar(match[1])));
  const results = await Promise.all([...wanted].filter((name) => name && !window.Prism?.languages[name]).map(load));
  return results.some(Boolean);
}

function grammar(name) {
  const lower = name.toLowerCase();
  const known = aliases[lower] ?? lower;
  return Object.hasOwn(languages, known) ? known : null;
}

function load(name) {
  if (!window.Prism) return Promise.resolve(false);
  if (!loading.has(name)) {
    loading.set(name, (async () => {
      for (const needed of languages[name]) await load(needed);
      try {
        await import(`${vendor}/prism/prism-${name}.min.js`);
        return true;
      } catch {
        return false;
      }
    })());
  }
  return loading.get(name);
}

function escapeHTML(text) {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

function renderCode(code, info) {
  const name = grammar((info ?? "").match(/^[\w+#-]+/)?.[0] ?? "");
  const rules = name && window.Prism?.languages[name];
  const html = rules ? window.Prism.highlight(code, rules, name) : escapeHTML(code);
  return `<pre data-language="${escapeHTML(info ?? "")}"><code>${html}\n</code></pre>`;
}

/** Images would be fetched from elsewhere: they become links, too. */
function renderLink(href, title, text) {
  let address;
  try {
    address = new URL(href, location.href);
  } catch {
    return text;
  }
  if (!["http:", "https:", "mailto:"].includes(address.protocol)) return text;
  const hint = title ? ` title="${escapeHTML(title)}"` : "";
  return `<a href="${escapeHTML(address.href)}"${hint} target="_blank" rel="noopener noreferrer nofollow">${text || escapeHTML(href)}</a>`;
}

function renderFormula(source, isDisplay) {
  if (!window.katex) return escapeHTML(source);
  let html;
  try {
    html = window.katex.renderToString(source, {
      displayMode: isDisplay, throwOnError: false, trust: false, strict: "ignore", errorColor: "inherit", maxExpand: 300, maxSize: 20,
    });
  } catch {
    return escapeHTML(source);
  }
  // Everything that KaTeX takes from the source is escaped in its HTML, so these two can only be its own. Styles must not
  // be parsed as such: the page's policy forbids it.
  return html.replace(/<annotation [^>]*>[^<]*<\/annotation>/g, "").replaceAll(" style=\"", " data-style=\"");
}

function applyStyle(element) {
  const declarations = element.dataset.style.split(";");
  delete element.dataset.style;
  if (!element.closest(".katex") || element.closest(".katex-error")) return;
  for (const declaration of declarations) {
    const [, name, value] = declaration.match(/^\s*([a-z-]+)\s*:\s*([-\w#.%() ]+)$/) ?? [];
    if (styleProperties.has(name)) element.style.setProperty(name, value);
  }
}

const formulaRenderer = (token) => renderFormula(token.text.trim(), token.isDisplay);

const displayBlock = {
  name: "displayBlock",
  level: "block",
  start: (source) => source.match(/^ {0,3}(?:\$\$|\\\[)/m)?.index,
  tokenizer(source) {
    const match = source.match(/^ {0,3}(?:\$\$([^]+?)\$\$|\\\[([^]+?)\\\])[ \t]*(?:\n+|$)/);
    if (match) return { type: "displayBlock", raw: match[0], text: match[1] ?? match[2], isDisplay: true };
  },
  renderer: formulaRenderer,
};

const displayInline = {
  name: "displayInline",
  level: "inline",
  start: (source) => source.match(/\$\$|\\\[/)?.index,
  tokenizer(source) {
    const match = source.match(/^(?:\$\$([^]+?)\$\$|\\\[([^]+?)\\\])/);
    if (match) return { type: "displayInline", raw: match[0], text: match[1] ?? match[2], isDisplay: true };
  },
  renderer: formulaRenderer,
};

// A dollar opens a formula before anything but a space, and closes it after anything but a space and not before a digit:
// "from $5 to $10" is no formula.
const inlineFormula = {
  name: "inlineFormula",
  level: "inline",
  start: (source) => source.match(/\$|\\\(/)?.index,
  tokenizer(source) {
    const match =
      source.match(/^\$(?![\s$])((?:\\[^]|[^\\$\n])+?)(?<!\s)\$(?!\d)/) ?? source.match(/^\\\(([^]+?)\\\)/);
    if (match) return { type: "inlineFormula", raw: match[0], text: match[1], isDisplay: false };
  },
  renderer: formulaRenderer,
};
