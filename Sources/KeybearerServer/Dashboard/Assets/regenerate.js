// The question before a regenerate, in the panel's dialog or on a page of its own.
const KeybearerRegenerate = (() => {
  'use strict';

  const { leave, deadlineFromNow, ask, say, withBusy } = KeybearerRequests;
  const UNKNOWN_REGENERATE =
    'It is not known whether the key was regenerated. Press “Yes, regenerate” again to find out: '
    + 'pressing again on this page never makes two keys.';

  /**
   * The form that regenerates, in the dialog or on its own page. While the outcome of a press is unknown the form stays
   * as it is, so that the next press is the same request again.
   */
  function enhance(form, { onDone, onConflict, onFailure }) {
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
        await onDone(record);
      });
    });

    /** The next press is about another key, unless the last one is not settled. */
    return function renew(version) {
      if (isUnknown) return;
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      form.elements.version.value = version;
      form.elements.idempotencyKey.value = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
    };
  }

  /** The question on a page of its own. */
  function enhancePage(form) {
    enhance(form, {
      onDone: () => leave(form.dataset.pageUrl + '?regenerated=1'),
      onConflict: (status) => say(
        status,
        'The key was regenerated elsewhere since this page was loaded. Your press changed nothing. '
          + 'Reload this page if you want to replace the newer key as well.',
        'failure',
      ),
      onFailure: () => {},
    });
  }

  return { enhance, enhancePage };
})();
