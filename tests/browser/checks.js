// What is wrong with the page as it is shown now: every check returns a list of complaints.
globalThis.checks = (() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const width = () => document.documentElement.clientWidth;
  const name = (e) => {
    const text = e.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
    return `<${e.localName}${e.id && `#${e.id}`}${text && ` “${text}”`}>`;
  };
  const shown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const tiny = (e) =>
    e.offsetWidth <= 1 && e.offsetHeight <= 1 && getComputedStyle(e).display !== "contents";
  const forReadersOnly = (e) => e !== null && (tiny(e) || forReadersOnly(e.parentElement));
  const figures = () =>
    all("img, svg").filter(
      (e) => !e.parentElement.closest("svg") && e.getAttribute("aria-hidden") !== "true",
    );

  // HTML text and its style: text nodes, and what CSS puts before and after elements.
  function* texts() {
    for (const e of all("body, body *")) {
      if (e.closest("svg, script, style, template") || !shown(e) || forReadersOnly(e)) continue;
      if ([...e.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim()))
        yield [e, getComputedStyle(e)];
      for (const pseudo of ["::before", "::after"]) {
        const style = getComputedStyle(e, pseudo);
        const drawn = style.display !== "none" && style.visibility === "visible";
        if (drawn && !["none", "normal", '""', ""].includes(style.content)) yield [e, style];
      }
    }
  }

  // Colours, as red, green, blue from 0 to 255 and alpha from 0 to 1
  const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const colour = (css) => {
    if (!known.has(css)) {
      brush.clearRect(0, 0, 1, 1);
      brush.fillStyle = css;
      brush.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = brush.getImageData(0, 0, 1, 1).data;
      known.set(css, [r, g, b, a / 255]);
    }
    return known.get(css);
  };
  const over = ([r, g, b, a], below) => {
    const mixed = [r, g, b].map((value, i) => a * value + (1 - a) * below[i]);
    return [...mixed, 1];
  };
  const background = (e) => {
    if (e === null) {
      const dark = getComputedStyle(document.documentElement).colorScheme.includes("dark");
      const wanted = matchMedia("(prefers-color-scheme: dark)").matches;
      return colour(dark && wanted ? "#121212" : "white");
    }
    return over(colour(getComputedStyle(e).backgroundColor), background(e.parentElement));
  };
  const opacity = (e) =>
    e === null ? 1 : Number(getComputedStyle(e).opacity) * opacity(e.parentElement);
  const luminance = (rgb) => {
    const [r, g, b] = rgb
      .map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };

  // The text's contrast with its background, or with white paper.
  const contrast = (paper = false) => {
    const found = [];
    for (const [e, style] of texts()) {
      const below = paper ? [255, 255, 255, 1] : background(e);
      const [r, g, b, a] = colour(style.color);
      const both = [over([r, g, b, a * opacity(e)], below), below].map(luminance);
      const ratio = (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
      if (ratio < 4.5) found.push(`${name(e)}: contrast ${ratio.toFixed(2)}, ${style.color}`);
    }
    return found;
  };

  const smallText = () =>
    [...texts()]
      .filter(([, style]) => parseFloat(style.fontSize) < 12)
      .map(([e, style]) => `${name(e)}: text of ${style.fontSize}`);

  const sideways = () => {
    const needed = document.documentElement.scrollWidth;
    if (needed <= width()) return [];
    const wide = all("body *").filter((e) => e.getBoundingClientRect().right > width() + 1);
    return [`page: ${needed} px in ${width()}: ${wide.slice(0, 5).map(name)}`];
  };

  const scrolls = (e) =>
    !forReadersOnly(e) &&
    ((getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1) ||
      (/auto|scroll/.test(getComputedStyle(e).overflowY) && e.scrollHeight > e.clientHeight + 1));
  const scrollers = () => all("body *").filter((e) => e instanceof HTMLElement && scrolls(e));
  const scrolling = () => scrollers().map((e) => `${name(e)}: scrolls, or cuts what it holds`);

  const images = () =>
    figures().flatMap((e) => {
      const found = [];
      const box = e.getBoundingClientRect();
      const sizes = ["width", "height"].map((key) => e.getAttribute(key) ?? "");
      if (!sizes.every((size) => /^[\d.]+(px|pt|em|rem)?$/.test(size))) found.push("no size");
      if (box.width <= 100 || box.height <= 80) found.push(`shown ${box.width} × ${box.height}`);
      if (e.localName === "img" && !(e.complete && e.naturalWidth > 0)) found.push("not loaded");
      const labels = (e.getAttribute("aria-labelledby") ?? "").split(/\s+/).filter(Boolean);
      const label = [
        ...labels.map((id) => document.getElementById(id)?.textContent),
        e.getAttribute("aria-label"),
        e.localName === "img" && e.getAttribute("alt"),
      ];
      if (!label.some((text) => text && text.trim())) found.push("no text alternative");
      if (e.localName === "svg" && e.getAttribute("role") !== "img") found.push("no role=img");
      const beyond = (inner) =>
        Math.max(box.left - inner.left, inner.right - box.right) > 1 ||
        Math.max(box.top - inner.top, inner.bottom - box.bottom) > 1;
      for (const text of e.querySelectorAll('text, [id*="text_"]')) // matplotlib's names
        if (beyond(text.getBoundingClientRect())) found.push(`cuts ${text.id || text.textContent}`);
      return found.map((what) => `${name(e)}, figure ${figures().indexOf(e) + 1}: ${what}`);
    });

  const cut = () =>
    [...figures(), ...all("table")]
      .map((e) => [e, e.getBoundingClientRect()])
      .filter(([, box]) => box.left < -1 || box.right > width() + 1)
      .map(([e, box]) => `${name(e)}: ${box.left} to ${box.right} in ${width()}`);

  // Every reference inside the page, by link, by CSS in SVG, by ARIA
  const references = (e) => [
    ...["href", "xlink:href"].map((key) => /^#(.*)/s.exec(e.getAttribute(key) ?? "")?.[1]),
    ...[...e.attributes].map(({ value }) => /^url\(["']?#([^)"']*)/.exec(value)?.[1]),
    ...["aria-labelledby", "aria-describedby", "aria-controls", "headers", "for"].flatMap((key) =>
      (e.getAttribute(key) ?? "").split(/\s+/).filter(Boolean),
    ),
  ];
  const target = (id) =>
    document.getElementById(id) ?? document.getElementById(decodeURIComponent(id));
  const links = () =>
    all("*").flatMap((e) =>
      references(e)
        .filter((id) => id !== undefined)
        .filter((id) => !target(id) || (e.localName === "a" && !shown(target(id))))
        .map((id) => `${name(e)}: #${id} is not there`),
    );
  const ids = () => {
    const seen = new Set();
    return all("[id]")
      .filter((e) => seen.size === seen.add(e.id).size)
      .map((e) => `${name(e)}: a second one`);
  };

  // The body's cells by column; what spans several columns belongs to none.
  const columns = (table) => {
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const taken = rows.map(() => []);
    rows.forEach((row, i) => {
      for (const cell of row.cells) {
        let j = 0;
        while (j in taken[i]) j += 1;
        for (let down = 0; down < cell.rowSpan && i + down < rows.length; down += 1)
          for (let right = 0; right < cell.colSpan; right += 1)
            taken[i + down][j + right] = down === 0 && cell.colSpan === 1 ? cell : null;
      }
    });
    const count = Math.max(0, ...taken.map((row) => row.length));
    return Array.from({ length: count }, (_, j) => taken.map((row) => row[j]).filter(Boolean));
  };
  const NUMBER = /^[+−–-]?\d[\d,\u2009\u202f]*(\.\d+)?(e[+−-]?\d+)?\s*(%|×|[[(±].*)?$/i;
  const decimals = (text) => {
    const number = /\d[\d,]*(?:\.(\d+))?/.exec(text);
    return number === null ? undefined : (number[1] ?? "").length;
  };
  const tables = () =>
    all("table").flatMap((table, i) =>
      columns(table).flatMap((cells, j) => {
        const where = `table ${i + 1}, column ${j + 1}`;
        const text = (cell) => cell.textContent.trim();
        const filled = cells.filter((cell) => !/^(|none|n\/a|[–—-])$/.test(text(cell)));
        const numeric = filled.filter((cell) => NUMBER.test(text(cell)));
        const right = (cell) => /right|end/.test(getComputedStyle(cell).textAlign);
        if (numeric.length > 0 && numeric.length === filled.length && !cells.every(right))
          return [`${where}: numbers that are not right-aligned, ${name(cells[0])}`];
        const texts = filled.filter(right).map(text);
        const places = new Set(texts.map(decimals).filter((count) => count !== undefined));
        const examples = [...new Set(texts)].slice(0, 8).join("; ");
        return places.size < 2 ? [] : [`${where}: decimals ${[...places]}: ${examples}`];
      }),
    );

  const structure = () => {
    const found = [];
    const headings = all("h1, h2, h3, h4, h5, h6").filter(shown);
    if (all("h1").length !== 1) found.push(`${all("h1").length} h1`);
    headings.reduce((before, e) => {
      const level = Number(e.localName[1]);
      if (level > before + 1) found.push(`${name(e)} after h${before}`);
      return level;
    }, 0);
    if (all("main").filter(shown).length !== 1) found.push("not one main");
    if (!all("nav").some(shown)) found.push("no nav");
    if (!document.documentElement.lang) found.push("no language");
    if (!document.title.trim()) found.push("no title");
    return found;
  };

  // Where the focus is, null where it is nowhere.
  const stop = () => {
    const e = document.activeElement;
    if (e === null || e === document.body || e === document.documentElement) return null;
    const style = getComputedStyle(e);
    return {
      index: all("*").indexOf(e),
      name: name(e),
      outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
      navigates: e.closest("nav") !== null || /^#./.test(e.getAttribute("href") ?? ""),
    };
  };
  const unreached = (indices) => [
    ...all("a[href]")
      .filter((e) => shown(e) && !indices.includes(all("*").indexOf(e)))
      .map((e) => `${name(e)}: not reached with Tab`),
    ...scrollers()
      .filter((e) => e.tabIndex < 0)
      .map((e) => `${name(e)}: scrolls and cannot be focused`),
  ];

  const inView = (id) => {
    const { top, bottom } = target(id).getBoundingClientRect();
    return top >= -1 && top < innerHeight && bottom > 0;
  };
  const prepare = async () => {
    for (const details of all("details")) details.open = true;
    for (const image of document.images) image.loading = "eager";
    await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
    await document.fonts.ready;
  };

  return {
    ...{ contrast, smallText, sideways, scrolling, images, cut, links, ids, tables, structure },
    ...{ stop, unreached, inView, prepare },
  };
})();
