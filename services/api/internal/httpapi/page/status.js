"use strict";
// The status page: health, the last hour, the newest lines; asked anew every two seconds.
const $ = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

function row(cells) {
  const tr = document.createElement("tr");
  for (const [text, cls] of cells) {
    const td = document.createElement("td");
    td.textContent = text;
    if (cls) td.className = cls;
    tr.append(td);
  }
  return tr;
}

function card(value, label) {
  const div = document.createElement("div");
  div.className = "card";
  const b = document.createElement("b");
  b.textContent = value;
  const span = document.createElement("span");
  span.textContent = label;
  div.append(b, span);
  return div;
}

async function get(path) {
  const answer = await fetch(path);
  return answer.json();
}

async function refresh() {
  try {
    const [health, metrics, logs] = await Promise.all([get("/api/health"), get("/api/metrics"), get("/api/logs?limit=30")]);
    $("state").textContent = health.status;
    $("state").className = "state " + health.status;
    const rt = metrics.response_time_ms;
    $("cards").replaceChildren(
      card(number.format(metrics.total_logs), "lines in the last hour"),
      card(number.format(metrics.logs_per_minute), "lines a minute"),
      card(number.format(metrics.error_rate) + " %", "errors"),
      card(number.format(rt.p50) + " / " + number.format(rt.p95) + " ms", "response time p50 / p95"),
      card(health.lag.seconds < 0 ? "unknown" : number.format(health.lag.seconds) + " s", "behind (" + Math.max(0, health.lag.messages) + " messages)"),
    );
    $("services").tBodies[0].replaceChildren(
      ...metrics.top_services.map((s) => row([[s.service], [number.format(s.count) + " lines", "t"], [number.format(s.errors) + " errors", s.errors ? "error" : "t"]])),
    );
    $("logs").tBodies[0].replaceChildren(
      ...logs.logs.map((l) => row([[l.timestamp.slice(11, 23), "t"], [l.level, l.level], [l.service, "t"], [l.message, "m"]])),
    );
  } catch (e) {
    $("state").textContent = "no answer: " + e.message;
    $("state").className = "state down";
  }
}

refresh();
setInterval(refresh, 2000);
