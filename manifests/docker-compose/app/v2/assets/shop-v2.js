const show = (id, text) => document.getElementById(id).textContent = text;

async function lookInStock() {
  const response = await fetch("api/stock").catch(() => Response.error());
  show("decision", response.headers.get("x-canary-answer") ?? "not told");
  if (!response.ok) {
    show("stock", "nobody knows");
    return show("from-stock", `failed with ${response.status}`);
  }
  const stock = await response.json();
  show("stock", stock.left);
  show("price", stock.price);
  show("from-stock", stock.version);
}

async function tellMore() {
  const failed = { details: "Nobody knows more.", version: "failed to load" };
  const { details, version } = await import("./details-v2.js").catch(() => failed);
  show("details", details);
  show("from-details", version);
}

show("from-page", document.documentElement.dataset.version);
show("from-style", getComputedStyle(document.documentElement).getPropertyValue("--version").trim());
show("from-script", "v2");
document.getElementById("more").addEventListener("click", tellMore);
lookInStock();
setInterval(lookInStock, 2000);
