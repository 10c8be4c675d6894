// Times in the reader's own time zone. The server writes UTC; a button with the relative time takes its place, and the
// exact time, local and UTC, is behind the button: shown by a press, and as its description.
const DashboardTimes = (() => {
  'use strict';

  const REFRESH_MILLISECONDS = 15000;
  const UNITS = [['year', 31557600], ['month', 2629800], ['day', 86400], ['hour', 3600], ['minute', 60]];
  // The browser's clock may be wrong: what counts is how long ago the server made the page.
  const skew = (Date.parse(document.documentElement.dataset.now) || Date.now()) - Date.now();
  const relativeFormat = new Intl.RelativeTimeFormat('en', { numeric: 'always' });
  const clockFormat = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const exactFormat = new Intl.DateTimeFormat('en-GB', {
    weekday: 'short', day: 'numeric', month: 'short', year: 'numeric',
    hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23', timeZoneName: 'short',
  });
  let count = 0;

  const now = () => Date.now() + skew;

  /** "3 minutes ago"; whole units that have passed. "in 7 days" for what is to come. */
  function relative(instant) {
    const seconds = (now() - instant) / 1000;
    const unit = UNITS.find(([, length]) => Math.abs(seconds) >= length);
    const whole = seconds > 0 ? Math.floor : Math.round;
    return unit ? relativeFormat.format(-whole(seconds / unit[1]), unit[0]) : 'just now';
  }

  /** "14:02"; rounded up to the minute, so that whoever waits until then has waited enough. */
  const clock = (instant) => clockFormat.format(Math.ceil(instant / 60000) * 60000);

  /** The local time with its zone, and UTC where that is another one. */
  function exact(instant) {
    const local = exactFormat.format(instant);
    const utc = new Date(instant).toISOString();
    return local.endsWith(' UTC') ? [local] : [local, `${utc.slice(0, 10)} ${utc.slice(11, 19)} UTC`];
  }

  /** The exact time on its own, in parts that do not break. */
  function exactElement(instant) {
    const whole = document.createElement('span');
    whole.className = 'time-exact';
    whole.id = `time-${(count += 1)}`;
    whole.hidden = true;
    exact(instant).forEach((text, index) => {
      const part = document.createElement('span');
      part.textContent = text;
      whole.append(index ? ' · ' : '', part);
    });
    return whole;
  }

  function refresh(root = document) {
    root.querySelectorAll('time[data-enhanced]').forEach((time) => {
      const instant = Date.parse(time.dateTime);
      const text = 'clock' in time.dataset ? clock(instant) : relative(instant);
      const button = time.querySelector('button');
      if (button.textContent !== text) button.textContent = text;
    });
    root.querySelectorAll('[data-until]').forEach((span) => {
      if (Date.parse(span.dataset.until) <= now()) span.textContent = 'more since';
    });
  }

  /** Puts the button and the exact time into every `<time>` below an element. */
  function enhance(root = document) {
    root.querySelectorAll('time[datetime]:not([data-enhanced])').forEach((time) => {
      const instant = Date.parse(time.dateTime);
      if (Number.isNaN(instant)) return;
      const button = document.createElement('button');
      const text = exactElement(instant);
      button.type = 'button';
      button.className = 'time-toggle';
      button.title = exact(instant).join(' · ');
      button.setAttribute('aria-expanded', 'false');
      button.setAttribute('aria-controls', text.id);
      button.addEventListener('click', () => {
        text.hidden = !text.hidden;
        button.setAttribute('aria-expanded', String(!text.hidden));
      });
      time.replaceChildren(button, text);
      time.dataset.enhanced = 'true';
    });
    refresh(root);
  }

  /** A new `<time>` for an instant in RFC 3339. */
  function element(iso) {
    const time = document.createElement('time');
    time.dateTime = iso;
    return time;
  }

  enhance();
  setInterval(refresh, REFRESH_MILLISECONDS);
  document.addEventListener('visibilitychange', () => refresh());

  return { enhance, element };
})();
