// What every page does beyond plain HTML. Every page works without scripts.
//
// The files of this folder are the first of the script; a page's own file begins its work on `DOMContentLoaded`, when all
// of them are there.
(() => {
  'use strict';

  const { COPY_SHORTCUT, writeClipboard, flashCopied } = DashboardClipboard;

  function enhanceExample(button) {
    const code = document.getElementById(button.dataset.copy);
    button.hidden = false;
    button.setAttribute('aria-live', 'polite');
    button.addEventListener('click', async () => {
      try {
        await writeClipboard(Promise.resolve(code.textContent));
        flashCopied(button);
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = `Press ${COPY_SHORTCUT}`;
      }
    });
  }

  function enhanceDialogLink(link) {
    const dialog = document.getElementById(link.dataset.opensDialog);
    if (!dialog || !dialog.showModal) return;
    link.setAttribute('role', 'button');
    link.setAttribute('aria-haspopup', 'dialog');
    link.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      dialog.showModal();
    });
    link.addEventListener('keydown', (event) => {
      if (event.key !== ' ') return;
      event.preventDefault();
      link.click();
    });
    dialog.querySelector('[data-closes-dialog]').addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => link.focus());
  }

  /** A form that is on its way is not sent a second time, unless a page's script took its sending over. */
  function enhanceForm(form) {
    form.addEventListener('submit', (event) => {
      if (!('once' in form.dataset)) return;
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = 'true';
    });
  }

  /** An open list of workspaces closes with Escape and with a press elsewhere. */
  function enhanceDisclosure(details) {
    document.addEventListener('click', (event) => {
      if (!details.contains(event.target)) details.open = false;
    });
    details.addEventListener('keydown', (event) => {
      if (event.key !== 'Escape' || !details.open) return;
      details.open = false;
      details.querySelector('summary').focus();
    });
  }

  document.querySelectorAll('[data-copy]').forEach(enhanceExample);
  document.querySelectorAll('[data-opens-dialog]').forEach(enhanceDialogLink);
  document.querySelectorAll('form[data-once]').forEach(enhanceForm);
  document.querySelectorAll('[data-closes-outside]').forEach(enhanceDisclosure);

  // What was said once is not said again on a reload.
  const notice = document.querySelector('[data-notice]');
  if (notice?.dataset.notice && location.search) {
    const query = new URLSearchParams(location.search);
    query.delete(notice.dataset.notice);
    const rest = query.toString();
    history.replaceState(null, '', location.pathname + (rest ? '?' + rest : ''));
  }
  // A page from the Back button is old: its key, its quota and its forms' values may be out of date.
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
})();
