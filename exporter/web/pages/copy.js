"use strict";
// Buttons that copy the text beside them; without a script there are none, and the text can be selected.
(() => {
  const shownMilliseconds = 1500;
  const said = document.getElementById("said");

  function copySelected(text) {
    const area = document.createElement("textarea");
    area.className = "hidden";
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    return copied;
  }

  async function copy(text) {
    // browsers have a clipboard object over TLS and on localhost only
    if (!navigator.clipboard) return copySelected(text);
    return navigator.clipboard.writeText(text).then(() => true, () => copySelected(text));
  }

  document.documentElement.classList.add("scripted");
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const copied = await copy(button.previousElementSibling.textContent);
    button.focus();
    button.classList.add(copied ? "done" : "failed");
    said.textContent = copied ? "Copied." : "The browser does not allow to copy.";
    setTimeout(() => {
      button.classList.remove("done", "failed");
      said.textContent = "";
    }, shownMilliseconds);
  });
})();
