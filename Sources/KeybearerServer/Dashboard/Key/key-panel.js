// The key's panel: show, copy and regenerate without a new page.
//
// The key is asked for only when a person presses "Show key" or "Copy". It stands in the page only while it is shown;
// hiding it, leaving the page or copying it leaves no copy behind in this script. Every press is answered within three
// seconds: with what was asked for, or with what still holds.
(() => {
  'use strict';

  const { Failure, leave, deadlineFromNow, ask, say, withBusy } = DashboardRequests;
  const { COPY_SHORTCUT, writeClipboard, flashCopied } = DashboardClipboard;

  function enhance(panel) {
    const field = panel.querySelector('[data-key-field]');
    const form = panel.querySelector('[data-key-form]');
    const toggle = panel.querySelector('[data-key-toggle]');
    const copy = panel.querySelector('[data-key-copy]');
    const status = panel.querySelector('[data-key-status]');
    const regenerateForm = document.querySelector('[data-regenerate-form]');
    const dialog = regenerateForm.closest('dialog');
    const page = panel.dataset.pageUrl;
    const isShown = () => toggle.getAttribute('aria-pressed') === 'true';
    const generated = panel.querySelector('[data-key-generated]');
    // The key that the panel is about. The time too: after a failover another key may have the same version.
    let key = { version: Number(panel.dataset.version), generatedAt: generated.querySelector('time').dateTime };
    const isOf = (record, known) => record.version === known.version && record.generatedAt === known.generatedAt;
    let asked = 0;
    let followed = 0;

    const tell = (text, kind) => say(status, text, kind);

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

    /**
     * Asks for the record, and for the key with it where it is a reveal; the panel shows that record from then on.
     * `isNewKey` compares with the key that the panel was about when it asked, whichever answer was shown meanwhile.
     */
    async function askAndFollow(url, options) {
      const turn = (asked += 1);
      const before = key;
      const record = await ask(url, { page, ...options });
      // The page may have moved on: then an answer that is older, or about the key that it has left, is worth nothing.
      if (turn < followed || (key !== before && isOf(record, before))) {
        throw new Failure('The key was regenerated meanwhile.', 409);
      }
      follow(record, turn);
      return { record, isNewKey: key !== before };
    }

    const askForRecord = (deadline) => askAndFollow(page + '/record', { deadline });
    const askForKey = (deadline) => askAndFollow(panel.dataset.revealUrl, { method: 'POST', deadline });

    /** Shows a record. A key that it is not about is hidden. */
    function follow(record, turn = (asked += 1)) {
      followed = turn;
      document.querySelectorAll('[data-key-prefix]').forEach((element) => (element.textContent = record.prefix));
      showTime(generated, record.generatedAt);
      const lastUse = panel.querySelector('[data-key-last-used]');
      // What the client said belongs to the use that the page was loaded with.
      const shown = lastUse.querySelector('time')?.dateTime;
      if (shown !== record.lastUsedAt) panel.querySelector('[data-key-client]')?.remove();
      if (record.lastUsedAt) showTime(lastUse, record.lastUsedAt, record.lastUsedFrom);
      else lastUse.textContent = 'Never used';
      if (isOf(record, key)) return;
      key = { version: record.version, generatedAt: record.generatedAt };
      hide();
      refreshQuota();
    }

    function showTime(fact, iso, address) {
      const old = fact.querySelector('time');
      if (!old || old.dateTime !== iso) fact.replaceChildren(DashboardTimes.element(iso));
      if (address) {
        const from = document.createElement('span');
        from.className = 'address';
        from.textContent = address;
        fact.replaceChildren(fact.querySelector('time'), ' from ', from);
      }
      DashboardTimes.enhance(fact);
    }

    /** The rate limit is the account's, so it goes on under the new key: what is left comes from the page as it is now. */
    async function refreshQuota() {
      try {
        const response = await fetch(page, { credentials: 'same-origin', cache: 'no-store' });
        const fresh = new DOMParser().parseFromString(await response.text(), 'text/html').querySelector('.quota');
        const old = panel.querySelector('.quota');
        if (!fresh || !old) return;
        old.replaceWith(fresh);
        DashboardTimes.enhance(fresh);
      } catch {
        // The old figures stay; the next page has new ones.
      }
    }

    /** Tells what still holds; leads on where there is somewhere to go. */
    async function fail(problem, holds) {
      const leads = problem.leadsTo;
      // Without a session or the feature nothing of the key stays in the page.
      if (leads) hide();
      tell(`${problem.message} ${holds}`, 'failure');
      if (leads) await leave(leads + (problem.status === 401 ? '&ended=1' : ''));
    }

    async function show() {
      if (isShown()) {
        hide();
        return;
      }
      try {
        const { record, isNewKey } = await askForKey(deadlineFromNow());
        setShown(true, record.key);
        if (isNewKey) tell('The key was regenerated since this page was loaded. This is the new one.', 'notice');
      } catch (problem) {
        if (problem.status === 409) tell(`${problem.message} Press “Show key” again for the new key.`, 'notice');
        else await fail(problem, 'Your key was not changed: showing it changes nothing.');
      }
    }

    /** What Copy hands to the clipboard, once the server has said that it is the live key. */
    async function textToCopy(deadline) {
      if (!isShown()) {
        const { record, isNewKey } = await askForKey(deadline);
        return { text: record.key, isNewKey };
      }
      const text = field.value;
      const { isNewKey } = await askForRecord(deadline);
      if (isNewKey) {
        throw new Failure(`The key was regenerated${where()}: the one that was shown here no longer works.`, 409);
      }
      return { text, isNewKey };
    }

    async function copyKey() {
      const wasShown = isShown();
      const deadline = deadlineFromNow();
      const found = textToCopy(deadline);
      const written = writeClipboard(found.then(({ text }) => text)).then(() => true, () => false);
      let copied;
      try {
        // Awaited first: a key that the server refused is reported as that, not as a refused clipboard.
        copied = await found;
      } catch (problem) {
        if (problem.status === 409) {
          tell(`${problem.message} Nothing was copied. Press “Copy” again for the new key.`, 'notice');
        } else if (wasShown) {
          await fail(
            problem,
            'Nothing was copied, because it is not known whether the key above is still yours. '
              + `To copy it all the same, select it and press ${COPY_SHORTCUT}.`,
          );
        } else {
          await fail(problem, 'Nothing was copied, and your key was not changed.');
        }
        return;
      }
      const about = key;
      const refused = new Promise((resolve) => setTimeout(resolve, Math.max(0, deadline - performance.now()), false));
      const isWritten = await Promise.race([written, refused]);
      // A regenerate meanwhile has said that this key is dead.
      if (key !== about) return;
      if (isWritten) {
        const text = copied.isNewKey
          ? 'The key was regenerated since this page was loaded. The new one was copied.' : 'Copied to the clipboard.';
        tell(text, copied.isNewKey ? 'notice' : 'quiet');
        flashCopied(copy, () => status.textContent === 'Copied to the clipboard.' && tell(''));
        return;
      }
      setShown(true, copied.text);
      field.focus();
      field.select();
      tell(`The browser refused the clipboard. Press ${COPY_SHORTCUT} to copy the selected key.`);
    }

    let isBusy = false;
    function press(button, work) {
      if (isBusy) return;
      isBusy = true;
      tell('');
      withBusy(button, work).finally(() => (isBusy = false));
    }

    const isRegenerateUnknown = DashboardRegenerate.enhance(regenerateForm, {
      currentKey: () => key,
      async onDone(record, before) {
        // Where this page has followed a newer key meanwhile, it stays with that.
        if (record.version >= key.version) follow(record);
        dialog.close();
        if (isOf(record, before)) {
          // The page knew this key before the press, so an earlier press has made it.
          const text = 'Your earlier press regenerated the key: the old key no longer works.';
          tell(`${text} This press changed nothing.`, 'notice');
        } else {
          tell('Key regenerated. The old key no longer works.', 'success');
        }
      },
      async onConflict() {
        hide();
        dialog.close();
        const text = 'The key was regenerated elsewhere. This press changed nothing.';
        tell(text, 'notice');
        try {
          await askForRecord(deadlineFromNow());
          tell(`${text} This page now shows the newer key’s record.`, 'notice');
        } catch {
          tell(`${text} Reload this page to see the newer key’s record.`, 'notice');
        }
      },
      onFailure: (text) => tell(text, 'failure'),
    });

    /** Where a new key comes from: from elsewhere, unless a press of this page may have made it. */
    const where = () => (isRegenerateUnknown() ? '' : ' elsewhere');

    /** A page that comes back into view may be old: another tab may have replaced the key or signed out. */
    let isChecking = false;
    async function check() {
      if (document.visibilityState !== 'visible' || isChecking || DashboardDeparture.isUnderWay()) return;
      // A press brings an answer of its own.
      if (document.querySelector('[aria-busy=true]')) return;
      isChecking = true;
      try {
        if ((await askForRecord(deadlineFromNow())).isNewKey) {
          tell(`The key was regenerated${where()}. This page now shows the new key’s record.`, 'notice');
        }
      } catch (problem) {
        // Where the server is away nothing is said before a press.
        if (problem.leadsTo) {
          hide();
          await leave(problem.leadsTo);
        }
      } finally {
        isChecking = false;
      }
    }

    form.addEventListener('submit', (event) => {
      event.preventDefault();
      press(toggle, show);
    });
    copy.addEventListener('click', () => press(copy, copyKey));
    copy.hidden = false;
    if (isShown()) setShown(true, field.value);
    // A page kept for the Back button must hold no key.
    window.addEventListener('pagehide', hide);
    document.addEventListener('visibilitychange', check);
    window.addEventListener('focus', check);
  }

  document.addEventListener('DOMContentLoaded', () => {
    document.querySelectorAll('[data-key-panel]').forEach(enhance);
  });
})();
