// The same request for a shell: text that works as pasted.

/** A word for a POSIX shell. */
export function shellQuote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** `name=@file` for curl -F, which reads `;` and `,` in a bare file name as its own syntax. */
function filePart(name, file) {
  const path = /[;,"\\]/.test(file) ? `"${file.replace(/["\\]/g, "\\$&")}"` : file;
  return `${name}=@${path}`;
}

export function curlCommand(url, fileName, pairs, outName) {
  const parts = [filePart("file", fileName)];
  for (const [name, value] of pairs) {
    parts.push(value instanceof File ? filePart(name, value.name) : `${name}=${value}`);
  }
  const fields = parts.map((part) => `-F ${shellQuote(part)}`).join(" ");
  return `curl ${fields} ${shellQuote(url)} -o ${shellQuote(outName)}`;
}
