// A film runs by itself, in CSS alone. This adds a slider: it follows the film, and takes it over.
"use strict";

for (const film of document.querySelectorAll(".film")) {
  const pause = film.querySelector(".pause"), scrub = film.querySelector(".scrub");
  const step = () => getComputedStyle(film).getPropertyValue("--s");
  scrub.hidden = false;
  scrub.addEventListener("input", () => {
    pause.checked = true;
    film.style.animation = "none";
    film.style.setProperty("--s", scrub.value);
  });
  pause.addEventListener("change", () => {
    if (pause.checked) return;
    film.style.removeProperty("animation");
    film.style.removeProperty("--s");
  });
  const follow = () => { if (!pause.checked) scrub.value = step(); };
  let timer = 0;
  new IntersectionObserver(([seen]) => {  // only while it can be seen
    clearInterval(timer);
    if (seen.isIntersecting) timer = setInterval(follow, 120);
  }).observe(film);
}
