// @ts-check
/** Loads the page anew once the state of the order's extras is another one; until then, quiet. */

const extras = document.getElementById("order-extras");
const SLOWEST_MS = 10_000;
let pause = 1500;

const look = async () => {
  try {
    const answer = await fetch(extras?.dataset.poll ?? "", { headers: { Accept: "application/json" } });
    if (answer.ok && (await answer.json()).state !== extras?.dataset.state) {
      location.reload();
      return;
    }
  } catch {} // the network is away: look again later
  pause = Math.min(SLOWEST_MS, pause * 1.5);
  setTimeout(look, pause);
};
if (extras?.dataset.poll) setTimeout(look, pause);
