// Returns in words what is wrong with the layout of a page: what is cut, what overlaps, what scrolls sideways.
const problems = [];
const root = document.documentElement;
if (root.scrollWidth > innerWidth) problems.push(`the page is ${root.scrollWidth} wide`);
for (const region of document.querySelectorAll(".scroll")) {
  if (region.scrollWidth > region.clientWidth) problems.push(`a list is ${region.scrollWidth} wide, and its region ${region.clientWidth}`);
}

const slack = 1.5;
const texts = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walker.nextNode(); node; node = walker.nextNode()) {
  const element = node.parentElement;
  if (!node.data.trim() || element.closest(".hidden, .skip, option, svg, style, script")) continue;
  const head = element.closest("thead");
  if (head && getComputedStyle(head).position === "absolute") continue;
  // the head of what is shortened is cut by its own box, on purpose; its tail must not be
  const shortened = element.matches(".fit > span:first-child:not(:last-child)") && element.getBoundingClientRect();
  const room = element.closest("td, th, dd, dt, caption, label, li, p, .panel, nav, footer, header, main").getBoundingClientRect();
  const fit = element.closest(".fit")?.getBoundingClientRect() || room;
  const range = document.createRange();
  range.selectNodeContents(node);
  for (const box of range.getClientRects()) {
    const right = shortened ? Math.min(box.right, shortened.right) : box.right;
    const text = { node, left: box.left, right, top: box.top, bottom: box.bottom, data: node.data.trim().slice(0, 60) };
    if (text.left >= text.right) continue;
    texts.push(text);
    if (text.left < room.left - slack || right > room.right + slack) problems.push(`leaves its cell: ${text.data}`);
    if (right > fit.right + slack) problems.push(`is cut: ${text.data}`);
    if (text.left < 0 || right > innerWidth + slack) problems.push(`is beyond the edge: ${text.data}`);
  }
}

texts.sort((one, other) => one.top - other.top);
texts.forEach((one, place) => {
  for (let next = place + 1; next < texts.length && texts[next].top < one.bottom - 3; next++) {
    const other = texts[next];
    if (one.node !== other.node && one.left < other.right - slack && other.left < one.right - slack) problems.push(`overlap: ${one.data} / ${other.data}`);
  }
});
return problems.slice(0, 10);
