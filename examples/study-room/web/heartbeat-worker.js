// Beats time: browsers throttle the timers of hidden pages, but not those of workers.

let timer;

self.onmessage = ({ data: milliseconds }) => {
  clearInterval(timer);
  if (milliseconds > 0) timer = setInterval(() => self.postMessage("beat"), milliseconds);
};
