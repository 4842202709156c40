// Tells the server where this browser's clock is, so that a person's first times are already right.

document.getElementById("time-zone").value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
