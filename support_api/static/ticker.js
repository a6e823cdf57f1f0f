setInterval(()=>postMessage(null),2e4);
