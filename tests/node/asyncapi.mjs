// Prints what the AsyncAPI parser has against the document of the file named, as JSON: [severity, code, message, path].
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
const told = diagnostics.map(({ severity, code, message, path }) => [severity, code, message, path.join("/")]);
console.log(JSON.stringify({ channels: document?.channels().all().length ?? 0, told }));
