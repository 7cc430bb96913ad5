// Beats time: browsers throttle the timers of hidden pages, and those of workers not.

let timer;

self.onmessage = ({ data: milliseconds }) => {
  clearInterval(timer);
  if (milliseconds > 0) timer = setInterval(() => self.postMessage("beat"), milliseconds);
};
