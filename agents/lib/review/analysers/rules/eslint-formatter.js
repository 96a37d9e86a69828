// Prints only the fields that the review reads. ESLint's own JSON formatter repeats the whole source of each file.
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
