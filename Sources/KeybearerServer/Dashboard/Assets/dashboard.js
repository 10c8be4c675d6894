// What the dashboard does beyond plain HTML. Every page works without this file.
//
// The key is asked for only when a person presses "Show key" or "Copy". It stands in the page only while it is
// shown; hiding it, leaving the page or copying it leaves no copy behind in this script.
(() => {
  'use strict';

  const COPIED_MILLISECONDS = 2500;
  const COPY_SHORTCUT = /Mac|iPhone|iPad/.test(navigator.platform) ? '⌘C' : 'Ctrl+C';

  /** Goes to another page of this server; never settles, so that nothing else happens meanwhile. */
  function leave(path) {
    const target = new URL(path, location.origin);
    location.assign(target.origin === location.origin ? target.href : '/');
    return new Promise(() => {});
  }

  /** Asks the server for the key; throws an Error whose message is for the person. */
  async function askForKey(revealURL) {
    let response;
    let answer;
    try {
      response = await fetch(revealURL, {
        method: 'POST',
        headers: { accept: 'application/json' },
        credentials: 'same-origin',
        cache: 'no-store',
      });
      answer = await response.json();
    } catch {
      throw new Error('The key could not be fetched. Try again shortly.');
    }
    if (response.ok && answer.ok) return answer.data.key;
    if (response.status === 401) return leave('/sign-in?next=' + encodeURIComponent(location.pathname));
    if (response.status === 403 && answer.confirmUrl) return leave(answer.confirmUrl);
    if (answer.error === 'FEATURE_LOCKED') return leave(location.pathname);
    throw new Error(answer.message || 'The key could not be fetched. Try again shortly.');
  }

  /** Puts text that may still be on its way on the clipboard; rejects where the browser refuses. */
  async function writeClipboard(promisedText) {
    if (!navigator.clipboard) throw new Error('no clipboard');
    if (window.ClipboardItem && navigator.clipboard.write) {
      // Safari forgets the press of the button while a request runs, unless the clipboard is handed the promise.
      const blob = promisedText.then((text) => new Blob([text], { type: 'text/plain' }));
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

  function enhanceKeyPanel(panel) {
    const field = panel.querySelector('[data-key-field]');
    const form = panel.querySelector('[data-key-form]');
    const toggle = panel.querySelector('[data-key-toggle]');
    const copy = panel.querySelector('[data-key-copy]');
    const status = panel.querySelector('[data-key-status]');
    const isShown = () => toggle.getAttribute('aria-pressed') === 'true';
    let busy = false;

    function say(text, kind) {
      status.textContent = text;
      status.dataset.kind = kind || '';
    }

    function setShown(shown, text) {
      // The element's own text too: a page that came with the key in it must not keep it there.
      field.textContent = field.dataset.mask;
      field.value = text;
      const label = shown ? 'Hide key' : 'Show key';
      toggle.setAttribute('aria-pressed', String(shown));
      toggle.setAttribute('aria-label', label);
      toggle.title = label;
    }

    const hide = () => setShown(false, field.dataset.mask);

    /** Runs one thing at a time and tells the person when it fails. */
    async function once(button, work) {
      if (busy) return;
      busy = true;
      button.setAttribute('aria-busy', 'true');
      say('');
      try {
        await work();
      } catch (problem) {
        say(problem.message, 'failure');
      } finally {
        busy = false;
        button.removeAttribute('aria-busy');
      }
    }

    form.addEventListener('submit', (event) => {
      event.preventDefault();
      once(toggle, async () => {
        if (isShown()) hide();
        else setShown(true, await askForKey(panel.dataset.revealUrl));
      });
    });

    copy.addEventListener('click', () => {
      once(copy, async () => {
        const key = isShown() ? Promise.resolve(field.value) : askForKey(panel.dataset.revealUrl);
        const written = writeClipboard(key).then(() => true, () => false);
        // Awaited first: a key that the server refused is reported as that, not as a refused clipboard.
        const text = await key;
        if (await written) {
          say('Copied to the clipboard.', 'quiet');
          flashCopied(copy, () => say(''));
          return;
        }
        setShown(true, text);
        field.focus();
        field.select();
        say(`The browser refused the clipboard. Press ${COPY_SHORTCUT} to copy the selected key.`);
      });
    });

    copy.hidden = false;
    if (isShown()) setShown(true, field.value);
    // A page kept for the Back button must hold no key.
    window.addEventListener('pagehide', hide);
  }

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

  /** A form that is on its way is not sent a second time. */
  function enhanceForm(form) {
    form.addEventListener('submit', (event) => {
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

  document.querySelectorAll('[data-key-panel]').forEach(enhanceKeyPanel);
  document.querySelectorAll('[data-copy]').forEach(enhanceExample);
  document.querySelectorAll('[data-opens-dialog]').forEach(enhanceDialogLink);
  document.querySelectorAll('form[data-once]').forEach(enhanceForm);
  document.querySelectorAll('[data-closes-outside]').forEach(enhanceDisclosure);

  // What was said once is not said again on a reload.
  if (document.querySelector('[data-notice]') && location.search) {
    const query = new URLSearchParams(location.search);
    ['regenerated', 'plan', 'password', 'session', 'signedOut'].forEach((name) => query.delete(name));
    const rest = query.toString();
    history.replaceState(null, '', location.pathname + (rest ? '?' + rest : ''));
  }
  // A page from the Back button is old: its key, budget and form ids may be gone.
  window.addEventListener('pageshow', (event) => {
    if (event.persisted) location.reload();
  });
})();
