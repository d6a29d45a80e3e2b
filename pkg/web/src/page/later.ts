/**
 * Runs a task once, with the next frame, however often it is asked for until then. A page that is not
 * shown has no frames: there it runs a little later, for the title tells what is unread.
 */
export function once(task: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    const run = (): void => {
      if (!due) return;
      due = false;
      task();
    };
    requestAnimationFrame(run);
    setTimeout(run, 250);
  };
}
