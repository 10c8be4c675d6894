// The page behind a portal link presses its own button, where the link is too young to have been sent by mail.
document.addEventListener('DOMContentLoaded', () => {
  document.querySelector('form[data-submits-itself]')?.requestSubmit();
});
