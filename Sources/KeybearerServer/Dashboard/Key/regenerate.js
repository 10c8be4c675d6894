// The question before a regenerate, in the panel's dialog or on a page of its own.
const DashboardRegenerate = (() => {
  'use strict';

  const { leave, deadlineFromNow, ask, say, withBusy } = DashboardRequests;
  const UNKNOWN_REGENERATE =
    'It is not known whether the key was regenerated. Press “Yes, regenerate” again to find out: '
    + 'pressing again on this page never makes two keys.';

  /**
   * The form that regenerates, in the dialog or on its own page. Each press is a request of its own, about the key that
   * the page shows at that time; while the outcome of a press is unknown, the next press is the same request again.
   *
   * `currentKey` gives the key that the page shows; without it every press is the request that the page was loaded
   * with. Returns a function that says whether the outcome of the last press is unknown.
   */
  function enhance(form, { currentKey, onDone, onConflict, onFailure }) {
    const status = form.parentElement.querySelector('[data-regenerate-status]');
    const button = form.querySelector('[type=submit]');
    const page = form.dataset.pageUrl;
    let isUnknown = false;
    form.removeAttribute('data-once');

    async function fail(problem) {
      if (problem.status === 0) isUnknown = true;
      if (problem.status === 409) {
        isUnknown = false;
        await onConflict(status);
        return;
      }
      const text = `${problem.message} ${isUnknown ? UNKNOWN_REGENERATE : 'Your key was not changed.'}`;
      say(status, text, 'failure');
      onFailure(text);
      if (problem.leadsTo) await leave(problem.leadsTo + (problem.status === 401 && !isUnknown ? '&ended=1' : ''));
    }

    form.addEventListener('submit', (event) => {
      event.preventDefault();
      withBusy(button, async () => {
        say(status, '');
        const before = currentKey?.();
        if (before && !isUnknown) setRequest(before.version);
        let record;
        try {
          record = await ask(form.action, {
            method: 'POST', form: new FormData(form), deadline: deadlineFromNow(), page,
          });
        } catch (problem) {
          await fail(problem);
          return;
        }
        isUnknown = false;
        await onDone(record, before);
      });
    });

    function setRequest(version) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      form.elements.version.value = version;
      form.elements.idempotencyKey.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    }

    return () => isUnknown;
  }

  /** The question on a page of its own. */
  function enhancePage(form) {
    enhance(form, {
      onDone: () => leave(form.dataset.pageUrl + '?regenerated=1'),
      onConflict: (status) => say(
        status,
        'The key was regenerated elsewhere since this page was loaded. This press changed nothing. '
          + 'Reload this page if you want to replace the newer key as well.',
        'failure',
      ),
      onFailure: () => {},
    });
  }

  document.addEventListener('DOMContentLoaded', () => {
    // In the panel's dialog the panel enhances it.
    if (!document.querySelector('[data-key-panel]')) {
      document.querySelectorAll('[data-regenerate-form]').forEach(enhancePage);
    }
  });

  return { enhance };
})();
