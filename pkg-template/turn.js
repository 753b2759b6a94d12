/**
 * Calls back in a turn of the event loop of its own: when everything is through that waited for what is settled now. A
 * channel, since browsers make the timers of hidden pages wait for a second and more.
 *
 * @param {() => void} callback
 */
export function afterTurn(callback) {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    port1.close();
    callback();
  };
  port2.postMessage(undefined);
}
