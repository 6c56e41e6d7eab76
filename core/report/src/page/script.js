(() => {
  const root = document.documentElement;
  const box = document.querySelector('.themes');
  const show = choice => {
    if (choice === 'auto') delete root.dataset.theme; else root.dataset.theme = choice;
    for (const button of box.children) {
      button.setAttribute('aria-pressed', button.dataset.choice === choice);
    }
  };
  let choice = 'auto';
  // A browser may keep nothing for pages from a disk.
  try { choice = localStorage.getItem('convscope-theme') || choice; } catch {}
  box.addEventListener('click', event => {
    const chosen = event.target.dataset.choice;
    if (!chosen) return;
    show(chosen);
    try { localStorage.setItem('convscope-theme', chosen); } catch {}
  });
  show(choice);
  box.hidden = false;
})();
