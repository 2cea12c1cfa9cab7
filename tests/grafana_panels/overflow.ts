// Finds text of which a reader sees only a part.

const LEAST_SCROLLED = 96; // px: a heading and three rows

/** Such texts of one panel. Rows below the end of a scroll box are no fault of a box with room for a few. */
export function cut(panel: Element): string[] {
  const found: string[] = [];
  const walker = document.createTreeWalker(panel, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement!;
    const forScreenReaders = parent.getBoundingClientRect().width <= 1;
    if (node.textContent!.trim() && !forScreenReaders && isCut(node, parent, panel)) {
      found.push(node.textContent!.trim());
    }
  }
  return found;
}

function isCut(text: Node, parent: Element, panel: Element): boolean {
  const range = document.createRange();
  range.selectNodeContents(text);
  const box = range.getBoundingClientRect();
  for (let around = parent; panel.contains(around); around = around.parentElement!) {
    const frame = around.getBoundingClientRect();
    const overflow = getComputedStyle(around).overflow;
    if (overflow === 'visible' && around !== panel) {
      continue;
    }
    if (box.left < frame.left - 1 || box.right > frame.right + 1) {
      return true;
    }
    if (box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
      return !/auto|scroll/.test(overflow) || around.clientHeight < LEAST_SCROLLED;
    }
  }
  return false;
}
