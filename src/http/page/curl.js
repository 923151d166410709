// The same request for a shell: text that works as pasted.

/** A word for a POSIX shell. */
export function shellQuote(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** `name=@file` for curl -F, which reads `;` and `,` in a bare file name as its own syntax. */
function filePart(name, file) {
  const path = /[;,"\\]/.test(file) ? `"${file.replace(/["\\]/g, "\\$&")}"` : file;
  return `-F ${shellQuote(`${name}=@${path}`)}`;
}

/** A value as it is: -F would read `;` in it, and what begins with `@`, `<` or a quote, as its own syntax. */
function textPart(name, value) {
  const flag = /^[@<"]|;/.test(value) ? "--form-string" : "-F";
  return `${flag} ${shellQuote(`${name}=${value}`)}`;
}

/** The command; a key is named by a variable, so that it ends in no history of a shell. */
export function curlCommand(url, fileName, pairs, outName, withKey) {
  const fields = pairs.map(([name, value]) => (value instanceof File ? filePart(name, value.name) : textPart(name, value)));
  const key = withKey ? ['-H "Authorization: Bearer $SAFELIGHT_KEY"'] : [];
  return ["curl", ...key, filePart("file", fileName), ...fields, shellQuote(url), `-o ${shellQuote(outName)}`].join(" ");
}
