// ESLint's own JSON formatter repeats each file's whole source; this one prints only what the review reads.
export default (results) =>
  JSON.stringify(
    results.flatMap(({ filePath, messages }) =>
      messages.map(({ ruleId, severity, message, line, fatal }) => ({
        filePath,
        ruleId,
        severity,
        message,
        line,
        fatal: fatal === true,
      })),
    ),
  );
