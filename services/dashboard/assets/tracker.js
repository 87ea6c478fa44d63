"use strict";
// What the browser does by itself: formats in the viewer's zone, the theme, and commands by POST.
window.tracker = (() => {
  const NONE = "–", minus = (text) => text.replace("-", "−");
  const fixed = (value, digits, sign) => minus(value.toLocaleString("en-US", {
    minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: sign ? "exceptZero" : "auto" }));
  const moment = (value, options) => new Date(value).toLocaleString(undefined, { hourCycle: "h23", ...options });
  const size = (s) => s < 90 ? `${Math.round(s)} s` : s < 5400 ? `${Math.round(s / 60)} min`
    : s < 172800 ? `${Math.round(s / 3600)} h` : `${Math.round(s / 86400)} d`;
  const looks = {
    text: String, words: (v) => String(v).replaceAll("_", " "),
    status: (v) => `${{ pass: "●", ok: "●", good: "●", warn: "▲", fail: "■", bad: "■", silent: "■" }[v] || "○"} ${v}`,
    severity: (v) => `${{ critical: "■", warning: "▲" }[v] || "○"} ${v}`,
    gap: (v) => `${{ open: "▲", healed: "●" }[v] || "○"} ${String(v).replaceAll("_", " ")}`,
    level: (v) => `${{ error: "■", critical: "■", warning: "▲" }[v] || "○"} ${v}`, wrapped: String, plain: String,
    money: (v) => fixed(v, 2), signed: (v) => fixed(v, 2, true),
    price: (v) => Math.abs(v) >= 1000 ? fixed(v, 2) : minus(v.toPrecision(5)),
    percent: (v) => fixed(100 * v, 1) + "%", signed_percent: (v) => fixed(100 * v, 2, true) + "%",
    number: (v) => minus(v.toLocaleString("en-US", { maximumSignificantDigits: 6 })), count: (v) => fixed(v, 0),
    bytes: (v) => fixed(v / 1e6, v < 1e6 ? 1 : 0) + " MB", seconds: size,
    brief: (v) => v < 10 ? fixed(v, 2) + " s" : size(v),
    clock: (v) => moment(v, { hour: "2-digit", minute: "2-digit", second: "2-digit" }),
    month: (v) => moment(v, { year: "numeric", month: "short", timeZone: "UTC" }),
    time: (v) => moment(v, { hour: "2-digit", minute: "2-digit" }),
    day: (v) => moment(v, { year: "numeric", month: "short", day: "numeric" }),
    moment: (v) => moment(v, { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }),
    full: (v) => moment(v, { dateStyle: "medium", timeStyle: "long" }),
    ago: (v) => size(Math.max(0, (Date.now() - new Date(v)) / 1000)) + " ago",
  };
  const texts = new Set(["text", "words", "status", "severity", "gap", "level", "wrapped", "time", "clock", "day", "month",
    "moment", "full", "ago"]);
  const tones = {
    status: { pass: "good", ok: "good", good: "good", warn: "warn", fail: "bad", bad: "bad", silent: "bad" },
    severity: { critical: "bad", warning: "warn" }, gap: { open: "warn", healed: "good" },
    level: { error: "bad", critical: "bad", warning: "warn" },
  };
  const show = (look, value) => value === null || value === undefined || value === "" ? NONE : looks[look](value);
  const numeric = (look) => !texts.has(look);
  const tone = (look, value) => tones[look] ? tones[look][value] || "quiet"
    : (look === "signed" || look === "signed_percent") && value ? (value > 0 ? "good" : "bad") : "";
  const cookie = (name, value) => {
    const secure = location.protocol === "https:" ? "; Secure" : "";
    document.cookie = `${name}=${encodeURIComponent(value)}; path=/; max-age=31536000; SameSite=Strict${secure}`;
  };

  cookie("tracker_zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");

  async function command(wish) {
    const token = document.querySelector("meta[name=tracker-token]")?.content || "";
    try {
      const response = await fetch("/commands", { method: "POST", credentials: "same-origin",
        headers: { "Content-Type": "application/json", "X-Tracker-Token": token }, body: JSON.stringify(wish) });
      return await response.json();
    } catch (error) {
      return { outcome: "failed", note: "the dashboard does not answer: " + error.message };
    }
  }
  async function signOut() {
    await fetch("/signout", { method: "POST", credentials: "same-origin", redirect: "manual" });
    location.assign("/");
  }

  const dark = () => document.body.classList.contains("body--dark");
  function chartTheme() {
    const [ink, line, card] = dark() ? ["#a9b4c4", "#2a3442", "#18202b"] : ["#5b6675", "#e1e6ee", "#ffffff"];
    const axis = { axisLine: { lineStyle: { color: line } }, axisTick: { lineStyle: { color: line } },
      axisLabel: { color: ink }, splitLine: { lineStyle: { color: line } }, nameTextStyle: { color: ink } };
    return { textStyle: { color: ink }, legend: { textStyle: { color: ink }, pageTextStyle: { color: ink } },
      title: { textStyle: { color: ink } }, timeAxis: axis, valueAxis: axis, categoryAxis: axis, logAxis: axis,
      visualMap: { textStyle: { color: ink } }, calendar: { dayLabel: { color: ink }, monthLabel: { color: ink },
        yearLabel: { color: ink }, itemStyle: { color: "transparent", borderColor: line },
        splitLine: { lineStyle: { color: line } } },
      tooltip: { backgroundColor: card, borderColor: line, textStyle: { color: dark() ? "#e6eaf0" : "#1b2330" } } };
  }
  function paint(element) {
    const chart = window.getElement?.(Number(element.id.slice(1)))?.chart;
    if (!chart) return setTimeout(() => element.isConnected && paint(element), 20);
    if (element.dataset.dark === String(dark())) return;
    element.dataset.dark = String(dark());
    chart.setTheme(chartTheme());
  }
  const paintAll = () => document.querySelectorAll(".nicegui-echart").forEach(paint);
  document.addEventListener("DOMContentLoaded", () => {
    new MutationObserver(paintAll).observe(document.body,
      { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
    paintAll();
  });
  return { looks, show, numeric, tone, cookie, command, signOut };
})();
