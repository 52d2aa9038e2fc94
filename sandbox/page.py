"""The page at `/_sandbox/`, on which a person plays the other side: one file, nothing loaded from elsewhere.

It shows what `/_sandbox/state` says and posts to `/_sandbox/control/<action>`, as a test would.
"""

import re

STYLE = """
:root{color-scheme:light dark;--line:#8884;--soft:#8882;--mark:#2a6fdb}
*{box-sizing:border-box}
body{font:15px/1.45 system-ui,sans-serif;margin:0;padding:1rem 1.25rem 3rem;max-width:1500px}
h1{font-size:1.25rem;margin:0 0 .75rem}h2{font-size:1rem;margin:1rem 0 .4rem}
main{display:grid;grid-template-columns:minmax(0,3fr) minmax(20rem,2fr);gap:1.5rem}
@media(max-width:60rem){main{grid-template-columns:1fr}}
table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .5rem;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600}td.n{text-align:right;font-variant-numeric:tabular-nums}
tbody tr{cursor:pointer}tbody tr:hover,tr[aria-selected=true]{background:var(--soft)}
button{font:inherit;padding:.3rem .7rem;margin:0 .3rem .35rem 0;border:1px solid var(--line);border-radius:.35rem;
background:var(--soft);cursor:pointer}
button:focus-visible,input:focus-visible,select:focus-visible{outline:2px solid var(--mark);outline-offset:1px}
input,select,textarea{font:inherit;padding:.25rem .4rem;border:1px solid var(--line);border-radius:.3rem;max-width:100%}
label{display:inline-block;margin:0 .75rem .4rem 0}
input[type=number]{width:6rem}
pre{background:var(--soft);padding:.6rem;overflow:auto;max-height:24rem;font-size:.8rem;border-radius:.35rem}
#said{min-height:1.5rem;font-weight:600}#said.bad{color:#c0392b}
section{border-top:1px solid var(--line)}
"""

COMMON = """
const byId=id=>document.getElementById(id);
const say=(text,bad)=>{const place=byId('said');place.textContent=text;place.className=bad?'bad':''};
async function call(action,body){
  const answer=await fetch('/_sandbox/control/'+action,{method:'POST',headers:{'Content-Type':'application/json'},
    body:JSON.stringify(body??{})});
  const found=await answer.json();
  if(!answer.ok)throw new Error(found.error||answer.statusText);
  return found;
}
async function act(action,body){
  try{const found=await call(action,body);say(action+': done');await refresh();return found}
  catch(error){say(action+': '+error.message,true)}
}
function cell(row,text,number){
  const made=row.insertCell();made.textContent=text??'';if(number)made.className='n';return made;
}
function fill(place,rows,columns,chosen,choose){
  place.replaceChildren();
  for(const one of rows){
    const row=place.insertRow();row.tabIndex=0;
    for(const [read,number] of columns)cell(row,read(one),number);
    const pick=()=>choose(one);
    row.onclick=pick;row.onkeydown=event=>{if(event.key==='Enter')pick()};
    if(chosen(one))row.setAttribute('aria-selected','true');
  }
}
"""

PLENTY = """
let chosen=Number(location.hash.slice(1))||null,order=null;
const KINDS={1:'order',2:'delivery',3:'return',4:'credit note'};
async function refresh(){
  const state=await (await fetch('/_sandbox/state')).json();
  byId('counts').textContent=Object.entries(state.counts).map(([name,n])=>name+' '+n).join(' · ');
  fill(byId('orders'),state.orders.slice().reverse(),[
    [o=>o.id],[o=>KINDS[o.typeId]||o.typeId],[o=>o.externalId],[o=>o.statusId,true],
    [o=>o.invoiceTotal+' '+o.currency,true],[o=>o.paymentStatus],[o=>o.packageNumbers.join(', ')],
    [o=>o.documents.join(', ')]],o=>o.id===chosen,o=>{chosen=o.id;refresh()});
  const twice=Object.entries(state.duplicates).filter(([,groups])=>groups.length);
  byId('twice').textContent=twice.length?'Twice: '+twice.map(([name,groups])=>name+' '+groups.length).join(', '):'';
  if(chosen)await show();
}
async function show(){
  try{order=await call('order',{id:chosen})}catch(error){order=null;chosen=null;return}
  byId('title').textContent='Order '+order.id+' · '+order.statusName;
  byId('work').hidden=false;
  const place=byId('lines');place.replaceChildren();
  for(const item of order.orderItems){
    const row=place.insertRow();cell(row,item.orderItemName);cell(row,item.quantity,true);
    cell(row,item.amounts.at(-1).priceGross,true);
    const box=document.createElement('input');box.type='number';box.min=0;box.step='any';box.dataset.item=item.id;
    box.setAttribute('aria-label','quantity of '+item.orderItemName);row.insertCell().append(box);
  }
  byId('json').textContent=JSON.stringify(order,null,1);
}
const lines=()=>[...document.querySelectorAll('#lines input')].filter(box=>Number(box.value)>0)
  .map(box=>({orderItemId:Number(box.dataset.item),quantity:Number(box.value)}));
const value=id=>byId(id).value.trim();
function packing(){
  const body={};
  const numbers=value('numbers').split(/[\\s,;]+/).filter(Boolean);
  if(numbers.length)body.packages=numbers.map(number=>({packageNumber:number}));
  if(value('provider'))body.provider=value('provider');
  return body;
}
const DEEDS={
  pack:()=>['pack',packing()],
  ship:()=>['ship',packing()],
  part:()=>['ship_part',{...packing(),...(lines().length?{lines:lines()}:{})}],
  invoice:()=>['invoice',{}],
  note:()=>['delivery_note',{}],
  pay:()=>['pay',value('amount')?{amount:Number(value('amount'))}:{}],
  back:()=>['pay_back',value('amount')?{amount:Number(value('amount'))}:{}],
  returns:()=>['return',lines().length?{lines:lines()}:{}],
  credit:()=>['credit',{...(lines().length?{lines:lines()}:{}),document:byId('document').checked,
    ...(byId('shipping').value?{shipping:byId('shipping').value==='with'}:{})}],
  amount:()=>['credit',{amount:Number(value('amount')),document:byId('document').checked}],
  freight:()=>['credit',{only:'shipping',document:byId('document').checked}],
  split:()=>['split',{lines:lines()}],
  hold:()=>['hold',{}],release:()=>['release',{}],cancel:()=>['cancel',{}],
  status:()=>['set_status',{statusId:Number(value('status'))}],
};
document.querySelectorAll('[data-deed]').forEach(button=>button.onclick=()=>{
  const [action,body]=DEEDS[button.dataset.deed]();act(action,{id:chosen,...body})});
byId('place').onclick=()=>act('place',{});
byId('advance').onclick=()=>act('advance',{seconds:60});
refresh();setInterval(()=>{if(!document.activeElement||document.activeElement.tagName!=='INPUT')refresh()},4000);
"""

PLENTY_BODY = """
<h1>PlentyONE stand-in: warehouse and back office</h1>
<p id="counts"></p><p id="twice"></p><p id="said" role="status"></p>
<main><div>
<button id="place">Order from another channel</button><button id="advance">One minute later</button>
<table><thead><tr><th>id</th><th>kind</th><th>external id</th><th>status</th><th>total</th><th>payment</th>
<th>packages</th><th>documents</th></tr></thead><tbody id="orders"></tbody></table>
</div><div id="work" hidden>
<h2 id="title"></h2>
<table><thead><tr><th>line</th><th>quantity</th><th>price</th><th>take</th></tr></thead><tbody id="lines"></tbody></table>
<section><h2>Warehouse</h2>
<label>tracking numbers <input id="numbers" placeholder="JD0001 JD0002"></label>
<label>provider <select id="provider"><option value="">as ordered</option><option>DHL</option><option>DPD</option>
<option>UPS</option><option>GLS</option><option>Spedition</option></select></label><br>
<button data-deed="pack">Pack</button><button data-deed="ship">Ship whole</button>
<button data-deed="part">Ship these lines</button><button data-deed="note">Delivery note</button>
<button data-deed="returns">Take these lines back</button></section>
<section><h2>Money</h2>
<label>amount <input id="amount" type="number" min="0" step="0.01"></label>
<label>shipping <select id="shipping"><option value="">as usual</option><option value="with">with</option>
<option value="without">without</option></select></label>
<label><input id="document" type="checkbox" checked> with document</label><br>
<button data-deed="invoice">Invoice</button><button data-deed="pay">Pay</button>
<button data-deed="back">Pay out</button><button data-deed="credit">Credit lines or all</button>
<button data-deed="amount">Credit amount</button><button data-deed="freight">Credit shipping</button></section>
<section><h2>Order</h2>
<label>status <input id="status" type="number" min="1" max="19.9999" step="0.1"></label>
<button data-deed="status">Set</button><br>
<button data-deed="hold">Hold</button><button data-deed="release">Release</button>
<button data-deed="split">Split these lines off</button><button data-deed="cancel">Cancel</button></section>
<details><summary>as JSON</summary><pre id="json"></pre></details>
</div></main>
"""

MAGENTO = """
let chosen=Number(location.hash.slice(1))||null;
async function refresh(){
  const [state,orders]=await Promise.all([(await fetch('/_sandbox/state')).json(),call('orders',{})]);
  byId('counts').textContent='orders '+state.orders+' · invoices '+state.invoices+' · shipments '+state.shipments+
    ' · credit memos '+state.creditmemos+' · mails '+state.mails.length;
  const made=state.documents;
  const of=(o,name)=>(made[o.entity_id]||{})[name];
  fill(byId('orders'),orders.slice().reverse().slice(0,300),[
    [o=>o.increment_id],[o=>o.state],[o=>o.status],[o=>o.grand_total,true],
    [o=>of(o,'invoices')?.length,true],[o=>of(o,'shipments')?.length,true],
    [o=>(of(o,'tracks')||[]).join(', ')],[o=>of(o,'creditmemos')?.length,true],
    [o=>Object.entries(of(o,'mails')||{}).map(([kind,n])=>kind+' '+n).join(', ')]],
    o=>o.entity_id===chosen,o=>{chosen=o.entity_id;refresh()});
  const twice=Object.entries(state.duplicates).filter(([,groups])=>groups.length);
  byId('twice').textContent=twice.length?'Twice: '+twice.map(([name,groups])=>name+' '+groups.length).join(', '):'';
  if(chosen){
    try{const order=await call('order',{entity_id:chosen});
      byId('title').textContent='Order '+order.increment_id+' · '+order.status;
      byId('json').textContent=JSON.stringify(order,null,1);byId('work').hidden=false}
    catch(error){chosen=null}
  }
}
byId('place').onclick=()=>act('place',{count:1});
byId('edit').onclick=()=>act('edit_order',{entity_id:chosen});
refresh();setInterval(refresh,4000);
"""

MAGENTO_BODY = """
<h1>Magento stand-in: the shop</h1>
<p id="counts"></p><p id="twice"></p><p id="said" role="status"></p>
<main><div><button id="place">Place an order</button>
<table><thead><tr><th>number</th><th>state</th><th>status</th><th>total</th><th>invoices</th><th>shipments</th>
<th>tracks</th><th>credit memos</th><th>mails</th></tr></thead><tbody id="orders"></tbody></table>
</div><div id="work" hidden><h2 id="title"></h2><button id="edit">Edit (a new order in its stead)</button>
<pre id="json"></pre></div></main>
"""

REFURBED = """
let chosen=null,order=null;
async function refresh(){
  const state=await (await fetch('/_sandbox/state')).json();
  byId('counts').textContent=Object.entries(state.counts).map(([name,n])=>name+' '+n).join(' · ');
  fill(byId('orders'),state.orders.slice().reverse(),[
    [o=>o.id],[o=>o.released?o.state:'not released'],[o=>o.country],[o=>o.charged+' '+o.currency,true],
    [o=>o.refunded,true],[o=>o.states.join(', ')],[o=>o.has_invoice?'yes':''],
    [o=>o.returns.map(one=>one.id+' '+one.state).join(', ')]],
    o=>o.id===chosen,o=>{chosen=o.id;refresh()});
  const twice=Object.entries(state.duplicates).filter(([,groups])=>groups.length);
  byId('twice').textContent=twice.length?'Twice: '+twice.map(([name,groups])=>name+' '+groups.length).join(', '):'';
  const lost=state.ignored_fields.map(row=>row.call+' '+row.field);
  byId('ignored').textContent=lost.length?'Sent in vain: '+lost.join(', '):'';
  if(chosen)await show();
}
async function show(){
  try{order=await call('order',{id:chosen})}catch(error){order=null;chosen=null;return}
  byId('title').textContent='Order '+order.id+' · '+order.state;
  byId('work').hidden=false;
  const taken=new Set(picked());
  const place=byId('lines');place.replaceChildren();
  for(const item of order.items){
    const row=place.insertRow();cell(row,item.name);cell(row,item.state+' '+(item.shipment_status||''));
    cell(row,item.total_paid,true);cell(row,item.item_identifiers.map(one=>one.value).join(', '));
    const box=document.createElement('input');box.type='checkbox';box.dataset.item=item.id;
    box.checked=taken.has(item.id);box.setAttribute('aria-label','take '+item.name);row.insertCell().append(box);
  }
  byId('json').textContent=JSON.stringify(order,null,1);
}
const picked=()=>[...document.querySelectorAll('#lines input')].filter(box=>box.checked).map(box=>box.dataset.item);
const each=(action,more)=>async()=>{for(const id of picked())await act(action,{id,...more})};
byId('place').onclick=()=>act('place',{released:byId('released').checked,
  ...(byId('country').value?{country:byId('country').value}:{})});
byId('release').onclick=()=>act('release',{id:chosen});
byId('day').onclick=()=>act('advance',{seconds:86400});
byId('token').onclick=()=>act('expire_token',{});
byId('renew').onclick=()=>act('issue_token',{});
byId('arrived').onclick=each('ship_status',{status:'DELIVERED'});
byId('back').onclick=each('return',{});
byId('label').onclick=each('return_label',{});
byId('ticket').onclick=each('ticket',{});
byId('refund').onclick=each('refund',{});
byId('move').onclick=()=>act('move_return',{id:byId('number').value,state:byId('state').value});
refresh();setInterval(()=>{if(!document.activeElement||document.activeElement.tagName!=='INPUT')refresh()},4000);
"""

REFURBED_BODY = """
<h1>refurbed stand-in: the marketplace</h1>
<p id="counts"></p><p id="twice"></p><p id="ignored"></p><p id="said" role="status"></p>
<main><div>
<button id="place">A customer orders</button>
<label>from <select id="country"><option value="">anywhere</option><option>DE</option><option>AT</option>
<option>IT</option><option>FR</option><option>SE</option><option>PL</option><option>CZ</option><option>CH</option>
</select></label>
<label><input id="released" type="checkbox" checked> released at once</label>
<button id="day">One day later</button><button id="token">Void the token</button>
<button id="renew">Token good again</button>
<table><thead><tr><th>id</th><th>state</th><th>country</th><th>charged</th><th>refunded</th><th>items</th>
<th>invoice</th><th>returns</th></tr></thead><tbody id="orders"></tbody></table>
</div><div id="work" hidden>
<h2 id="title"></h2><button id="release">Release</button>
<table><thead><tr><th>item</th><th>state</th><th>paid</th><th>identifiers</th><th>take</th></tr></thead>
<tbody id="lines"></tbody></table>
<section><h2>Items taken</h2>
<button id="arrived">Delivered</button><button id="label">Return label</button><button id="back">Customer returns</button>
<button id="ticket">Open a ticket</button><button id="refund">refurbed pays back</button></section>
<section><h2>Return</h2>
<label>number <input id="number" type="number" min="1"></label>
<label>becomes <select id="state"><option>IN_TRANSIT</option><option>DELIVERED</option><option>REFUNDED</option>
<option>CONCLUDED</option></select></label><button id="move">Set</button></section>
<details><summary>as JSON</summary><pre id="json"></pre></details>
</div></main>
"""

PAGES = {
    "plentyone": (PLENTY_BODY, PLENTY),
    "magento": (MAGENTO_BODY, MAGENTO),
    "refurbed": (REFURBED_BODY, REFURBED),
}


# where the people of a system work: the control page stands in its place
BACK_ENDS = {"plentyone": "/plenty/", "magento": "/admin/"}


def back_end(system: str, path: str) -> str | None:
    """The control page, the order opened, for a link into the system's back end; None for any other path."""
    if not path.startswith(BACK_ENDS.get(system, "\n")):
        return None
    order = re.search(r"/(?:order_id|order-ui)/(\d+)/?$", path)
    return f"/_sandbox/#{order[1]}" if order else "/_sandbox/"


def html(system: str) -> str:
    """The control page of a system; LookupError when it has none."""
    if system not in PAGES:
        raise LookupError(f"There is no control page of {system}.")
    body, script = PAGES[system]
    return (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{system} stand-in</title><style>{STYLE}</style></head>"
        f"<body>{body}<script>{COMMON}{script}</script></body></html>"
    )
