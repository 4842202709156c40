// Sends the browser's time zone with the sign-in form, so that times are right from the first page on.

document.getElementById("time-zone").value = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "";
