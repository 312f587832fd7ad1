/**
 * fast-check with a fixed seed: random tests draw the same cases in every run, so that a failure is the change's, and
 * anyone meets it again. `DURE_SEED` takes another seed; `npm run soak:random` draws new ones.
 */
import fc from "fast-check";

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(process.env.DURE_SEED ?? 42) });

export default fc;
