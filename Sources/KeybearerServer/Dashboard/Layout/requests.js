// Questions to this server, each with a deadline, and what went wrong with them in words.
const DashboardRequests = (() => {
  'use strict';

  // With what a page needs to say so, three seconds.
  const ANSWER_MILLISECONDS = 2700;
  // The path below which the dashboard is; empty where it has the whole host.
  const BASE = document.documentElement.dataset.base;
  // A page in a frame has a session of its own, and a browser does not say of a request that it comes from there.
  const PLACE = window === window.top ? {} : { 'x-portal-frame': '1' };

  /** What went wrong, in words for the person. */
  class Failure extends Error {
    /** `status` is 0 where it is not known whether the server has done what it was asked for. */
    constructor(message, status = 0, leadsTo = null) {
      super(message);
      this.status = status;
      this.leadsTo = leadsTo;
    }
  }

  /**
   * Goes to another page of this server, and does not settle then, so that nothing else happens meanwhile. Where the
   * page is on its way elsewhere already, that goes on, and nothing is done.
   */
  async function leave(path) {
    if (DashboardDeparture.isUnderWay()) return;
    DashboardDeparture.begin();
    const target = new URL(path, location.origin);
    location.assign(target.origin === location.origin ? target.href : BASE + '/');
    await new Promise(() => {});
  }

  const deadlineFromNow = () => performance.now() + ANSWER_MILLISECONDS;

  const left = (deadline) => Math.max(0, deadline - performance.now());

  /** Asks the server; answers `data`, or throws a Failure when there is none by the deadline. */
  async function ask(url, options) {
    try {
      return await fetchAnswer(url, options);
    } catch (problem) {
      // A page that is left gives up its requests, and a sign-out ends the session behind them. That is nothing to tell,
      // unless the page is still here at the deadline.
      if (DashboardDeparture.isUnderWay()) await new Promise((resolve) => setTimeout(resolve, left(options.deadline)));
      throw problem;
    }
  }

  async function fetchAnswer(url, { method = 'GET', form, deadline, page }) {
    const control = new AbortController();
    const timer = setTimeout(() => control.abort(), left(deadline));
    let response;
    let answer;
    try {
      response = await fetch(url, {
        method,
        headers: { accept: 'application/json', ...PLACE },
        body: form && new URLSearchParams(form),
        credentials: 'same-origin',
        cache: 'no-store',
        signal: control.signal,
      });
      answer = await response.json();
    } catch {
      if (control.signal.aborted) throw new Failure('The server did not answer in time.');
      throw new Failure(response ? 'The answer did not come from this service.' : 'The server cannot be reached.');
    } finally {
      clearTimeout(timer);
    }
    if (!answer || typeof answer.ok !== 'boolean') throw new Failure('The answer did not come from this service.');
    if (response.ok && answer.ok) return answer.data;
    throw refusal(response, answer, page);
  }

  function refusal(response, answer, page) {
    const { status } = response;
    if (status >= 500) return new Failure('The service is not available for the moment.');
    const failure = new Failure(answer.message || 'The server refused.', status);
    if (status === 401) failure.leadsTo = `${BASE}/sign-in?next=${encodeURIComponent(page)}`;
    else if (status === 403 && answer.confirmUrl) failure.leadsTo = answer.confirmUrl;
    else if (answer.error === 'FEATURE_LOCKED' || status === 404) failure.leadsTo = page;
    const wait = response.headers.get('retry-after');
    if (status === 429) failure.message = `Too many requests. Try again in ${wait || 'a few'} seconds.`;
    return failure;
  }

  /** Writes into a live region. */
  function say(region, text, kind) {
    region.textContent = text;
    region.dataset.kind = kind || '';
  }

  /** Runs one thing at a time on a button. */
  async function withBusy(button, work) {
    if (button.getAttribute('aria-busy') === 'true') return;
    button.setAttribute('aria-busy', 'true');
    try {
      await work();
    } finally {
      button.removeAttribute('aria-busy');
    }
  }

  return { Failure, leave, deadlineFromNow, ask, say, withBusy };
})();
