// The page is whole without this. It adds a theme switch, search, enlargement and a place mark.
(() => {
  "use strict";
  const root = document.documentElement;
  root.classList.add("js");
  const themes = ["auto", "light", "dark"];
  // A sandboxed frame (a notebook, MLflow) refuses storage; the switch then lasts for the page.
  const remembered = () => {
    try { return localStorage.getItem("reportgen-theme") || "auto"; } catch { return "auto"; }
  };
  const remember = (theme) => {
    try { localStorage.setItem("reportgen-theme", theme); } catch { /* see above */ }
  };
  let theme = themes.includes(remembered()) ? remembered() : "auto";
  const applyTheme = () => {
    if (theme === "auto") delete root.dataset.theme; else root.dataset.theme = theme;
  };
  applyTheme();

  // Anchors are named by the report, and may hold any sign.
  const decode = (text) => {
    try { return decodeURIComponent(text); } catch { return text; }
  };

  const setUpTheme = () => {
    const button = document.querySelector("button#theme");
    const label = () => { button.textContent = `Theme: ${theme}`; };
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      remember(theme); applyTheme(); label();
    });
    label();
  };

  const setUpSearch = () => {
    const kinds = [
      [".chapter > h2", "section"], [".check .claim", "finding"], [".block h3", "figure"],
      [".panel-title", "panel"], [".data tbody tr", "table row"],
    ];
    const entries = kinds.flatMap(([selector, kind]) =>
      [...document.querySelectorAll(selector)].map((target) => {
        const first = kind === "table row" ? target.querySelector("td") : target;
        return { target, kind, label: first.textContent.trim(),
                 text: target.textContent.toLowerCase() };
      }));
    const box = document.querySelector("input#search");
    const list = document.querySelector("ul#hits");
    const show = () => {
      const words = box.value.trim().toLowerCase();
      list.replaceChildren();
      list.hidden = !words;
      if (!words) return;
      const hits = entries.filter((entry) => entry.text.includes(words));
      for (const hit of hits.slice(0, 20)) {
        const item = document.createElement("li");
        const button = document.createElement("button");
        const kind = document.createElement("small");
        button.type = "button";
        button.textContent = hit.label;
        const chapter = hit.target.closest(".chapter")?.querySelector("h2")?.textContent ?? "";
        kind.textContent = hit.kind === "section" ? hit.kind : `${hit.kind} in ${chapter}`;
        button.append(kind);
        button.addEventListener("click", () => go(hit.target));
        item.append(button);
        list.append(item);
      }
      const count = document.createElement("li");
      count.textContent = hits.length > 20 ? `and ${hits.length - 20} more`
        : hits.length ? "" : "Nothing found.";
      if (count.textContent) list.append(count);
    };
    const go = (target) => {
      for (let up = target; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
      target.scrollIntoView({ block: "center" });
      target.tabIndex = -1;
      target.focus({ preventScroll: true });
    };
    box.addEventListener("input", show);
    box.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { box.value = ""; show(); }
      if (event.key === "Enter") list.querySelector("button")?.click();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "/" && !/^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName)) {
        event.preventDefault(); box.focus();
      }
    });
  };

  const setUpLightbox = () => {
    const dialog = document.querySelector("dialog#lightbox");
    const shown = dialog.querySelector("img");
    const words = dialog.querySelector("figcaption");
    const pictures = [...document.querySelectorAll(".block img[alt]")]
      .filter((image) => !image.closest(".legend"));
    let at = 0;
    const caption = (image) => {
      const title = image.closest(".block").querySelector("h3");
      return [title?.textContent.trim(), image.alt].filter(Boolean).join(": ");
    };
    const show = (index) => {
      at = (index + pictures.length) % pictures.length;
      const image = pictures[at];
      shown.src = image.src; shown.alt = image.alt; shown.className = image.className;
      words.textContent = caption(image);
      const width = Number(image.getAttribute("width"));
      const height = Number(image.getAttribute("height"));
      const fit = Math.min((innerWidth - 48) / width, (innerHeight - 140) / height);
      // Whole multiples keep all pixels of a small picture equally large.
      const sharp = image.classList.contains("pixels") && fit > 1;
      const factor = Math.max(sharp ? Math.floor(fit) : fit, 0.9);
      shown.style.width = `${Math.round(width * factor)}px`;
      shown.style.height = `${Math.round(height * factor)}px`;
    };
    pictures.forEach((image, index) => {
      image.classList.add("zoom");
      image.tabIndex = 0;
      image.setAttribute("role", "button");
      const open = () => { show(index); dialog.showModal(); };
      image.addEventListener("click", open);
      image.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); }
      });
    });
    document.querySelector("button#previous").addEventListener("click", () => show(at - 1));
    document.querySelector("button#next").addEventListener("click", () => show(at + 1));
    dialog.querySelector("button[type=submit]").addEventListener("click", (event) => {
      event.preventDefault(); dialog.close();
    });
    dialog.addEventListener("keydown", (event) => {
      if (event.key === "ArrowLeft") show(at - 1);
      if (event.key === "ArrowRight") show(at + 1);
    });
    dialog.addEventListener("click", (event) => {
      if (event.target.classList.contains("stage")) dialog.close();
    });
    dialog.addEventListener("close", () => pictures[at].focus());
  };

  const setUpContents = () => {
    const details = document.querySelector(".contents details");
    const wide = matchMedia("(min-width: 1101px)");
    const fold = () => { details.open = wide.matches; };
    wide.addEventListener("change", fold);
    fold();
    const links = new Map([...document.querySelectorAll(".contents a")]
      .map((link) => [decode(link.hash.slice(1)), link]));
    const watcher = new IntersectionObserver((seen) => {
      for (const { target, isIntersecting } of seen) {
        if (!isIntersecting) continue;
        for (const link of links.values()) link.removeAttribute("aria-current");
        links.get(target.id)?.setAttribute("aria-current", "true");
      }
    }, { rootMargin: "-20% 0px -75% 0px" });
    for (const id of links.keys()) {
      const target = document.getElementById(id);
      if (target) watcher.observe(target);
    }
  };

  document.addEventListener("DOMContentLoaded", () => {
    setUpTheme(); setUpSearch(); setUpLightbox(); setUpContents();
  });
})();
