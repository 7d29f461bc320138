"""Accessibility checks for every page, in its current state."""

from playwright.sync_api import Page

# Structure: names, labels, references, headings.
_STRUCTURE = """() => {
  const faults = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const named = (element) => element.ariaLabel || element.textContent.trim() ||
    (element.getAttribute("aria-labelledby") ?? "").split(" ")
      .map((id) => document.getElementById(id)?.textContent ?? "").join("").trim();
  const told = (element) => element.outerHTML.slice(0, 80);
  if (!document.documentElement.lang) faults.push("the page has no language");
  for (const tag of ["main", "header", "footer", "h1"])
    if (all(tag).length !== 1) faults.push(`${all(tag).length} <${tag}>`);
  const ids = all("[id]").map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) faults.push(`two #${id}`);
  for (const name of ["aria-labelledby", "aria-describedby", "for"])
    for (const element of all(`[${name}]`))
      for (const id of element.getAttribute(name).split(" "))
        if (!document.getElementById(id)) faults.push(`${name}="${id}" names nothing`);
  for (const input of all("input"))
    if (!input.labels?.length) faults.push(`no label: ${told(input)}`);
  for (const element of all("button, a, section, nav, svg[role], [role=region]"))
    if (!named(element)) faults.push(`no name: ${told(element)}`);
  for (const element of all("[tabindex]"))
    if (element.tabIndex > 0) faults.push(`takes the order of focus over: ${told(element)}`);
  let level = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    if (Number(heading.tagName[1]) > level + 1) faults.push(`skips a level: ${told(heading)}`);
    level = Number(heading.tagName[1]);
  }
  for (const element of all("button, input"))
    if (element.getBoundingClientRect().height < 24) faults.push(`too small: ${told(element)}`);
  return faults;
}"""

# Contrast as WCAG 2.2 has it: 4.5, or 3 for large text.
_CONTRAST = """() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((one) => {
      const part = one / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const [r, g, b, a = 1] = parse(getComputedStyle(one).backgroundColor);
      if (a > 0) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const faults = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let seen = 0;
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !element.checkVisibility()) continue;
    if (element.closest(".unseen, noscript")) continue;
    const style = getComputedStyle(element);
    const ink = parse(element instanceof SVGElement ? style.fill : style.color);
    const [high, low] = [light(ink), light(behind(element))].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const wanted = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    seen += 1;
    if (ratio < wanted)
      faults.push(`${ratio.toFixed(2)} < ${wanted}: ${walker.currentNode.textContent.trim()}`);
  }
  return seen > 40 ? faults : [`only ${seen} texts found`];
}"""


def structure_faults(page: Page) -> list[str]:
    """List what is wrong with names, labels, references, headings and sizes."""
    faults: list[str] = page.evaluate(_STRUCTURE)
    return faults


def contrast_faults(page: Page) -> list[str]:
    """List the texts that are too faint before what is behind them."""
    faults: list[str] = page.evaluate(_CONTRAST)
    return faults
