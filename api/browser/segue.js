/* Segue: what happens on this page, as events. See docs/clients.md. */
((window, document) => {
  "use strict";
  var script = document.currentScript;
  var early = window.segue || [];
  var url = (script.dataset.url || new URL(script.src).origin) + "/v1/batch";
  var leave = "Basic " + btoa(script.dataset.key + ":");
  var queue = [], sending = 0, timer = 0, pause = 500, memory = {};

  function stored(name, value) {
    name = "segue." + name;
    if (value !== undefined) memory[name] = value;
    try {
      if (value !== undefined) localStorage.setItem(name, JSON.stringify(value));
      else if (!(name in memory)) memory[name] = JSON.parse(localStorage.getItem(name));
    } catch (e) { /* no storage: as long as the page lasts */ }
    return memory[name];
  }

  function id() {
    return Array.from(crypto.getRandomValues(new Uint8Array(16)), b => (b + 256).toString(16).slice(1)).join("");
  }

  function anonymous() {
    return stored("anonymous") || stored("anonymous", id());
  }

  function add(type, fields) {
    var consent = stored("consent"), user = stored("user");
    fields.type = type;
    fields.messageId = id();
    fields.timestamp = new Date().toISOString();
    fields.anonymousId = anonymous();
    if (user) fields.userId = user;
    fields.context = { page: { path: location.pathname, title: document.title } };
    if (consent) fields.context.consent = { categoryPreferences: consent };
    queue.push(fields);
    if (queue.length > 500) queue.shift();
    later(pause);
  }

  function later(ms) {
    timer = timer || setTimeout(send, ms);
  }

  function send() {
    clearTimeout(timer);
    timer = 0;
    if (sending || !queue.length) return;
    var batch = queue.splice(0, 20);
    sending = 1;
    fetch(url, {
      method: "POST",
      keepalive: true,
      headers: { "Authorization": leave, "Content-Type": "application/json" },
      body: JSON.stringify({ batch, sentAt: new Date().toISOString() })
    }).then(answer => {
      if (answer.status === 429 || answer.status >= 500) throw answer;
      pause = 500;
    }).catch(() => {
      queue = batch.concat(queue);
      pause = Math.min(pause * 2, 60000);
    }).then(() => {
      sending = 0;
      if (queue.length) later(pause);
    });
  }

  var segue = {
    track: (event, properties) => add("track", { event, properties: properties || {} }),
    page: properties => add("page", { properties: properties || {} }),
    identify: (user, traits) => { stored("user", user); add("identify", { traits: traits || {} }); },
    consent: preferences => { stored("consent", preferences); add("identify", {}); },
    reset: () => { stored("user", null); stored("anonymous", null); },
    flush: send,
    anonymousId: anonymous,
    push: call => segue[call[0]](...call.slice(1))
  };
  window.segue = segue;
  early.forEach(segue.push);
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "hidden") send();
  });
})(window, document);
