// Whether this page is on its way elsewhere: a person has followed a link, sent a form or pressed Back or Reload, and the
// next page is not here yet. Until it is, scripts lead nowhere else: a sign-out ends the session behind every request of
// the page, and would be overtaken by the way to the sign-in page.
const DashboardDeparture = (() => {
  'use strict';

  // A page that is still here after so long was not left: the person has stopped it, or a file was downloaded.
  const LONGEST_MILLISECONDS = 20000;
  let beganAt = -Infinity;

  function begin() {
    beganAt = performance.now();
  }

  const isUnderWay = () => performance.now() - beganAt < LONGEST_MILLISECONDS;

  /** Whether a click opens another page in place of this one, or of the window that it is framed in. */
  function leadsAway(event) {
    const link = event.target.closest?.('a[href]');
    if (!link || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return false;
    const isHere = link.hash !== '' && link.href.split('#')[0] === location.href.split('#')[0];
    return !isHere && ['http:', 'https:'].includes(link.protocol) && !link.hasAttribute('download')
      && ['', '_self', '_parent', '_top'].includes(link.target);
  }

  // At the window, so that what a page's own scripts have prevented is known.
  window.addEventListener('submit', (event) => {
    if (!event.defaultPrevented) begin();
  });
  window.addEventListener('click', (event) => {
    if (!event.defaultPrevented && leadsAway(event)) begin();
  });
  // For Back, Reload and the address bar, where a browser says so.
  window.addEventListener('beforeunload', begin);
  window.addEventListener('pagehide', begin);
  window.addEventListener('pageshow', () => (beganAt = -Infinity));

  return { begin, isUnderWay };
})();
