// One run of Lighthouse: what to do as JSON on standard input, its report on standard output.
// Lighthouse's own command line waits for connections that nobody uses any more.
import { readFileSync } from "node:fs";

const { program, url, ...flags } = JSON.parse(readFileSync(0, "utf8"));
const { default: lighthouse } = await import(program);
const { lhr } = await lighthouse(url, { output: "json", logLevel: "error", ...flags });
process.stdout.write(JSON.stringify(lhr), () => process.exit(0));
