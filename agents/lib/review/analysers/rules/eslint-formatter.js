// Prints only the fields that the review reads. ESLint's own JSON formatter repeats the whole source of each file. `files` has the
// files that ESLint linted, also those without a message: it leaves out ignored files.
export default (results) =>
  JSON.stringify({
    files: results.map(({ filePath }) => filePath),
    messages: results.flatMap(({ filePath, messages }) =>
      messages.map(({ ruleId, severity, message, line, fatal }) => ({
        filePath,
        ruleId,
        severity,
        message,
        line,
        fatal: fatal === true,
      })),
    ),
  });
