// What the chat page does in the browser itself: it keeps the chats, and it makes pictures small enough to send.
//
// Each chat lies under a key of its own, so that two tabs never write over each other's chats; which one a tab shows is the
// tab's own affair. Two tabs that go on with one chat would lose an answer: whoever writes second gets a chat of his own.

"use strict";

const swiftChat = (() => {
  const PREFIX = "swift-chat/";
  const HERE = "swift-chat-here"; // in the tab's own storage: which chat it shows, and as of which writing
  const MOST_CHATS = 50;
  const MOST_CHARACTERS = 4_000_000; // of about five million that browsers give to a page
  const TITLE = 40;
  const LATE_MS = 700;
  const MOST_PICTURES = 8; // in one message
  const LONGEST_SIDE = 1600;
  const LONGEST_PNG = 600_000;
  const LARGEST_FILE = 50 * 2 ** 20;
  const PICTURE = /^!\[[^\]]*\]\((data:image\/[a-z]+;base64,[A-Za-z0-9+/=]+)\)$/;
  const say = SWIFT_TEXTS[navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"];

  // --- the chats that are kept

  const fresh = () => crypto.getRandomValues(new Uint32Array(2)).join("-");

  function read(id) {
    try {
      const chat = JSON.parse(localStorage.getItem(PREFIX + id));
      return chat && Array.isArray(chat.shown) ? chat : null;
    } catch {
      return null; // not ours, or cut off
    }
  }

  function all() {
    const ids = Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).map((key) => key.slice(PREFIX.length));
    return ids.map(read).filter(Boolean).sort((one, other) => other.at - one.at);
  }

  function here() {
    try {
      return JSON.parse(sessionStorage.getItem(HERE)) || {};
    } catch {
      return {};
    }
  }

  const stay = (id, written) => sessionStorage.setItem(HERE, JSON.stringify({ id, written }));

  function textOf(content) {
    if (typeof content === "string") return content;
    if (Array.isArray(content)) return content.map(textOf).join("");
    return (content && content.text) || "";
  }

  function plain(message) {
    const { role, content, metadata } = message;
    const kept = { role, content: textOf(content) };
    return metadata && metadata.title ? { ...kept, metadata: { title: metadata.title, status: "done" } } : kept;
  }

  function titleOf(shown) {
    const first = shown.find((one) => one.role === "user" && !PICTURE.test(one.content) && !one.metadata);
    const title = first ? first.content.split(/\s+/).filter(Boolean).join(" ") : shown.length ? say.picture : "";
    return title.length <= TITLE ? title : title.slice(0, TITLE - 1) + "…";
  }

  const bare = (one) =>
    PICTURE.test(one.content) ? { role: one.role, content: say.not_kept, metadata: { title: say.picture, status: "done" } } : one;

  function put(chat) {
    const text = JSON.stringify(chat);
    const others = all().filter((one) => one.id !== chat.id);
    const size = others.reduce((sum, one) => sum + localStorage.getItem(PREFIX + one.id).length, text.length);
    if (size > MOST_CHARACTERS || others.length >= MOST_CHATS) return false;
    try {
      localStorage.setItem(PREFIX + chat.id, text);
      return true;
    } catch {
      return false; // the browser gives less room than others do
    }
  }

  // Where there is no room, the oldest chats lose their pictures, then go; last of all the chat itself loses its own.
  function write(chat) {
    if (put(chat)) return;
    const oldest = all().filter((one) => one.id !== chat.id).reverse();
    for (const one of oldest) {
      const shown = one.shown.map(bare);
      if (JSON.stringify(shown) === JSON.stringify(one.shown)) continue;
      localStorage.setItem(PREFIX + one.id, JSON.stringify({ ...one, shown }));
      if (put(chat)) return;
    }
    for (const one of oldest) {
      localStorage.removeItem(PREFIX + one.id);
      if (put(chat)) return;
    }
    if (put({ ...chat, shown: chat.shown.map(bare) })) return tell(say.not_kept);
    tell(say.no_room);
  }

  // --- what the page's events call; they return what its widgets are to show

  function list() {
    const chats = all();
    const { id } = here();
    const choices = chats.map((chat) => [chat.title || "–", chat.id]);
    if (!chats.some((chat) => chat.id === id)) choices.unshift(["–", id]);
    return { __type__: "update", choices, value: id };
  }

  function show() {
    const chat = read(here().id);
    const shown = (chat ? chat.shown : []).map(({ role, content, metadata }) => ({
      role, content: [{ type: "text", text: content }], metadata: metadata || {}, options: null,
    }));
    return [shown, chat ? chat.system : "", list(), ""];
  }

  function open() {
    const { id } = here();
    const chat = (id && read(id)) || (id ? null : all()[0]);
    if (chat) stay(chat.id, chat.written);
    else if (!id) stay(fresh(), null);
    return show();
  }

  function keep(shown, system) {
    const kept = (shown || []).map(plain);
    let { id, written } = here();
    const before = read(id);
    if (!kept.length && !before) return list();
    const isSame = before && before.system === (system || "") && JSON.stringify(before.shown) === JSON.stringify(kept);
    if (isSame) return list();
    if (before && before.written !== written) id = fresh();
    const chat = { id, written: fresh(), at: Date.now(), title: titleOf(kept), system: system || "", shown: kept };
    write(chat);
    stay(id, chat.written);
    return list();
  }

  // An answer that was ended for something else to be shown has nothing more to keep: what is shown is not its chat any more.
  let ended = 0;
  let begun = 0;

  function ask(shown, system) {
    begun = ended;
    return keep(shown, system);
  }

  const answered = (shown, system) => (begun === ended ? keep(shown, system) : list());

  function clear(system) {
    ended += 1;
    return [[], keep([], system)];
  }

  // Another chat is to be shown: what this one holds by now, half an answer perhaps, is kept first.
  function leave(shown, system) {
    if (shown && shown.length) keep(shown, system);
    ended += 1;
  }

  function start(shown, system) {
    leave(shown, system);
    stay(fresh(), null);
    return show();
  }

  function choose(id, shown, system) {
    leave(shown, system);
    const chat = read(id);
    if (chat) stay(chat.id, chat.written);
    return show();
  }

  function remove() {
    ended += 1;
    localStorage.removeItem(PREFIX + here().id);
    const next = all()[0];
    stay(next ? next.id : fresh(), next ? next.written : null);
    return show();
  }

  const isAnswering = () => Boolean(document.querySelector("#message .stop-button"));

  // Enter would send beside an answer that is being written: the text waits in its box.
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || !isAnswering() || !event.target.closest?.("#message")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
  }, true);

  // A last piece of an answer that was ended may come after whatever took its place: what is kept is shown again, and the system
  // prompt, which somebody may write meanwhile, is left alone.
  async function settle() {
    await new Promise((go) => setTimeout(go, LATE_MS));
    const same = { __type__: "update" };
    return isAnswering() ? [same, same] : [show()[0], ""];
  }

  // Another tab wrote: its chats are listed; the one that is shown here as well is shown anew, unless an answer is being written.
  function refresh(shown, system) {
    const { id, written } = here();
    const chat = read(id);
    if (!chat || chat.written === written || isAnswering()) return [shown, system, list()];
    stay(id, chat.written);
    return show().slice(0, 3);
  }

  window.addEventListener("storage", (event) => {
    if (event.key && event.key.startsWith(PREFIX)) document.querySelector("#refresh")?.click();
  });

  // --- pictures

  let attached = [];
  let work = Promise.resolve(); // pictures that are being made smaller, in the order they came

  const takesPictures = () => Boolean(document.querySelector("#attach"));

  function tell(text) {
    const place = document.querySelector("#attached-notice");
    if (place) place.textContent = text;
  }

  function draw() {
    const strip = document.querySelector("#attached-pictures");
    if (!strip) return;
    strip.replaceChildren(
      ...attached.map((url, number) => {
        const button = document.createElement("button");
        const image = document.createElement("img");
        image.src = url;
        image.alt = say.picture;
        button.title = button.ariaLabel = say.take_off;
        button.append(image);
        button.onclick = () => {
          attached = attached.filter((_, other) => other !== number);
          draw();
        };
        return button;
      }),
    );
  }

  // Drawn anew: it shrinks, and what a camera writes beside the pixels (where, when) stays here.
  async function shrunk(file) {
    if (file.size > LARGEST_FILE) throw new Error(say.too_large);
    let bitmap;
    try {
      bitmap = await createImageBitmap(file);
    } catch {
      throw new Error(say.no_picture);
    }
    const scale = Math.min(1, LONGEST_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "white";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    bitmap.close();
    if (file.type === "image/png") {
      const exact = canvas.toDataURL("image/png");
      if (exact.length <= LONGEST_PNG) return exact;
    }
    return canvas.toDataURL("image/jpeg", 0.85);
  }

  async function add(files) {
    tell("");
    for (const file of files) {
      if (attached.length >= MOST_PICTURES) {
        tell(say.too_many);
        break;
      }
      try {
        const url = await shrunk(file);
        attached = [...attached, url]; // after the wait: somebody may have taken one off
      } catch (error) {
        tell(`${file.name}: ${error.message}`);
      }
    }
    draw();
  }

  const attach = (files) => (work = work.then(() => add(files)));

  function pick() {
    const input = document.createElement("input");
    input.type = "file";
    input.accept = "image/*";
    input.multiple = true;
    input.onchange = () => attach([...input.files]);
    input.click();
  }

  // What is attached goes with the message that is sent now.
  async function take() {
    await work;
    const taken = JSON.stringify(takesPictures() ? attached : []);
    attached = [];
    tell("");
    draw();
    return taken;
  }

  function giveBack(pictures) {
    attached = JSON.parse(pictures || "[]");
    draw();
  }

  const filesOf = (data) => [...(data?.files || [])];

  document.addEventListener("paste", (event) => {
    const files = filesOf(event.clipboardData);
    if (!files.length || !takesPictures()) return;
    event.preventDefault();
    attach(files);
  }, true);

  for (const kind of ["dragover", "drop"]) {
    document.addEventListener(kind, (event) => {
      if (!event.dataTransfer?.types.includes("Files") || !takesPictures()) return;
      event.preventDefault(); // the browser would leave the page and show the file
      event.stopPropagation();
      if (kind === "drop") attach(filesOf(event.dataTransfer));
    }, true);
  }

  return { open, keep, ask, answered, clear, start, choose, remove, settle, refresh, pick, take, giveBack };
})();
window.swiftChat = swiftChat;
