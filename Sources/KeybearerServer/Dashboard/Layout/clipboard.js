// The clipboard, where the browser has one and allows it.
const DashboardClipboard = (() => {
  'use strict';

  const COPIED_MILLISECONDS = 2500;
  const COPY_SHORTCUT = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘C' : 'Ctrl+C';

  /** Puts text that may still be on its way on the clipboard; rejects where the browser refuses. */
  async function writeClipboard(promisedText) {
    if (!navigator.clipboard) throw new Error('no clipboard');
    if (window.ClipboardItem && navigator.clipboard.write) {
      // Safari forgets the press of the button while a request runs, unless the clipboard is handed the promise.
      const blob = promisedText.then((text) => new Blob([text], { type: 'text/plain' }));
      blob.catch(() => {});
      try {
        return await navigator.clipboard.write([new ClipboardItem({ 'text/plain': blob })]);
      } catch {
        // Some browsers take only finished text.
      }
    }
    return navigator.clipboard.writeText(await promisedText);
  }

  /** Shows "Copied" on a button for a while. */
  function flashCopied(button, then) {
    clearTimeout(Number(button.dataset.timer));
    button.textContent = 'Copied';
    button.dataset.timer = setTimeout(() => {
      button.textContent = 'Copy';
      if (then) then();
    }, COPIED_MILLISECONDS);
  }

  return { COPY_SHORTCUT, writeClipboard, flashCopied };
})();
