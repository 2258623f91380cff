/// The page of `/statusz`: one file without anything of a program in it. What it shows it gets as events, and puts it in as
/// text and never as markup, since names come from users.
enum PageText {
    static func html(nonce: String) -> String {
        """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <link rel="icon" href="data:,">
        <title>status</title>
        <style nonce="\(nonce)">\(style)</style>
        <header>
        <h1 id="program">status</h1><span id="name"></span>
        <span id="live" class="warning" role="status">connecting</span>
        </header>
        <noscript><p>This page needs JavaScript; <a href="/statusz?format=json">the same as JSON</a> does not.</p></noscript>
        <main>
        <dl id="facts"></dl>
        <div id="counts"></div>
        <p id="tools"><input id="filter" type="search" placeholder="filter the lists" aria-label="filter the lists"
        maxlength="100" spellcheck="false" autocomplete="off">
        <a href="/statusz?format=json">JSON</a> <a href="/metrics">metrics</a></p>
        <div id="lists"></div>
        </main>
        <script nonce="\(nonce)">\(script)</script>
        </html>

        """
    }

    private static let style = """

        :root { --back: #f6f7f9; --card: #fff; --text: #1b2430; --soft: #5d6b7c; --line: #dfe4ea;
          --plain: #5b7fa8; --good: #1f8a52; --warning: #a86400; --bad: #c22f3d; --accent: #2563b0; }
        @media (prefers-color-scheme: dark) { :root { --back: #12161c; --card: #1a2028; --text: #e3e9f0;
          --soft: #94a3b5; --line: #2b3440; --plain: #6d93bf; --good: #45b97c; --warning: #e0a243; --bad: #f0707c;
          --accent: #7ab0f0; } }
        * { box-sizing: border-box; }
        body { margin: 0 auto; max-width: 1500px; padding: 16px 24px 48px; background: var(--back); color: var(--text);
          font: 14px/1.45 system-ui, "DejaVu Sans", sans-serif; }
        header { display: flex; flex-wrap: wrap; align-items: baseline; gap: 4px 12px; margin-bottom: 12px; }
        h1 { font-size: 22px; margin: 0; }
        h2 { font-size: 15px; margin: 0; }
        a { color: var(--accent); }
        #name, .note, dt, th { color: var(--soft); }
        #name { overflow-wrap: anywhere; }
        #live { margin-left: auto; font-size: 13px; }
        #live::before { content: "\\25cf\\a0"; }
        #counts:empty { display: none; }
        .good { color: var(--good); } .warning { color: var(--warning); } .bad { color: var(--bad); }
        dl, #counts { display: grid; gap: 12px; margin: 0 0 12px; }
        dl { grid-template-columns: repeat(auto-fit, minmax(min(180px, 100%), 1fr)); }
        #counts { grid-template-columns: repeat(auto-fit, minmax(min(440px, 100%), 1fr)); }
        dl > div, #counts > section, #lists > section { background: var(--card); border: 1px solid var(--line);
          border-radius: 8px; padding: 10px 14px; min-width: 0; }
        dt { font-size: 12px; }
        dd { margin: 2px 0 0; font-weight: 600; overflow-wrap: anywhere; }
        .bar { display: flex; height: 10px; margin: 8px 0; border-radius: 5px; overflow: hidden;
          background: var(--line); }
        .bar span { flex: 0 1 0; min-width: 3px; background: var(--plain); border-right: 1px solid var(--card); }
        .bar .good { background: var(--good); } .bar .warning { background: var(--warning); }
        .bar .bad { background: var(--bad); } .bar .rest { background: var(--soft); opacity: .45; }
        ul { list-style: none; display: flex; flex-wrap: wrap; gap: 2px 18px; margin: 0; padding: 0; }
        li b { font-variant-numeric: tabular-nums; }
        .note { margin: 4px 0 0; font-size: 12px; }
        #tools { display: flex; flex-wrap: wrap; gap: 12px; align-items: center; margin: 0 0 12px; }
        input { flex: 1 1 200px; max-width: 360px; padding: 7px 10px; font: inherit; color: inherit;
          background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
        input:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
        #lists > section { margin-bottom: 12px; }
        .title { display: flex; flex-wrap: wrap; gap: 4px 10px; align-items: baseline; }
        .title .note { margin: 0; }
        table { width: 100%; border-collapse: collapse; margin-top: 6px; }
        th { text-align: left; font-weight: 500; font-size: 12px; white-space: nowrap; }
        th, td { padding: 5px 14px 5px 0; border-top: 1px solid var(--line); vertical-align: top; }
        td { overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
        .state { font-weight: 600; }
        .empty { color: var(--soft); margin: 6px 0 0; }
        @media (max-width: 720px) {
          body { padding: 12px 10px 32px; }
          dl { grid-template-columns: 1fr 1fr; gap: 8px; }
          dl > div { padding: 8px 10px; }
          dl > div:last-child:nth-child(odd) { grid-column: 1 / -1; }
          thead { display: none; }
          tr { display: block; padding: 6px 0; border-top: 1px solid var(--line); }
          td { display: grid; grid-template-columns: 96px 1fr; gap: 8px; border: 0; padding: 1px 0; }
          td::before { content: attr(data-name); color: var(--soft); font-size: 12px; }
          td.none { display: none; }
          input { max-width: none; }
        }

        """

    private static let script = """

        'use strict';
        const byId = id => document.getElementById(id);
        const make = (tag, className, text) => {
          const element = document.createElement(tag);
          if (className) element.className = className;
          if (text !== undefined) element.textContent = text;
          return element;
        };
        const tones = { running: 'good', ready: 'good', ok: 'good', lost: 'bad', revoked: 'bad',
          failed: 'bad', refused: 'bad', draining: 'warning', resuming: 'warning', suspending: 'warning',
          pausing: 'warning', claimed: 'warning' };
        const span = seconds => seconds < 1 ? Math.round(seconds * 1000) + ' ms'
          : seconds < 60 ? (seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)) + ' s'
          : seconds < 3600 ? Math.floor(seconds / 60) + ' min' : seconds < 172800 ? Math.floor(seconds / 3600) + ' h'
          : Math.floor(seconds / 86400) + ' d';
        let ahead = 0;
        const age = time => {
          const seconds = Math.max(0, (Date.now() + ahead - time) / 1000);
          return seconds < 1 ? 'now' : span(Math.floor(seconds)).replace('.0', '') + ' ago';
        };
        const cell = (column, value) => {
          const missing = value === null || value === undefined || value === '';
          const element = make('td', missing ? 'none' : '', '');
          element.dataset.name = column.key;
          if (missing) return element;
          const inside = make('span', '', String(value));
          if (column.kind === 'state') inside.className = 'state ' + (tones[value] || '');
          if (column.kind === 'duration') inside.textContent = span(value);
          if (column.kind === 'time') {
            inside.dataset.time = value;
            inside.title = new Date(value).toISOString();
            inside.textContent = age(value);
          }
          element.append(inside);
          return element;
        };
        const card = fact => {
          const element = make('div');
          element.append(make('dt', '', fact.name), make('dd', fact.tone, fact.value));
          return element;
        };
        const counts = group => {
          const element = make('section'), bar = make('div', 'bar'), legend = make('ul');
          const total = group.parts.reduce((sum, part) => sum + part.count, 0);
          for (const part of group.parts) {
            if (part.count > 0) {
              const piece = make('span', part.tone === 'plain' ? 'rest' : part.tone);
              piece.style.flexGrow = part.count;
              bar.append(piece);
            }
            const item = make('li');
            item.append(make('b', part.count > 0 ? part.tone : '', part.count.toLocaleString('en')), ' ' + part.name);
            legend.append(item);
          }
          element.append(make('h2', '', group.title + ' \\u00b7 ' + total.toLocaleString('en')), bar, legend);
          if (group.note) element.append(make('p', 'note', group.note));
          return element;
        };
        const list = one => {
          const element = make('section'), title = make('div', 'title');
          title.append(make('h2', '', one.title));
          const shown = one.items.length, all = one.total;
          const notes = [one.note, shown < all ? 'the first ' + shown + ' of ' + all.toLocaleString('en')
            + ', the filter finds the others' : ''].filter(text => text);
          if (notes.length) title.append(make('span', 'note', notes.join(' \\u00b7 ')));
          element.append(title);
          if (!shown) {
            element.append(make('p', 'empty', byId('filter').value ? 'none that matches' : 'none'));
            return element;
          }
          const table = make('table'), head = make('tr'), body = make('tbody');
          for (const column of one.columns) head.append(make('th', '', column.key));
          for (const item of one.items) {
            const row = make('tr');
            for (const column of one.columns) row.append(cell(column, item[column.key]));
            body.append(row);
          }
          const top = make('thead');
          top.append(head);
          table.append(top, body);
          element.append(table);
          return element;
        };
        const show = report => {
          ahead = report.time - Date.now();
          document.title = report.program + ' ' + report.name;
          byId('program').textContent = report.program;
          byId('name').textContent = report.name;
          byId('facts').replaceChildren(...report.facts.map(card));
          byId('counts').replaceChildren(...report.counts.map(counts));
          byId('lists').replaceChildren(...report.lists.map(list));
        };
        const live = (text, tone) => {
          const element = byId('live');
          if (element.textContent !== text) element.textContent = text;
          element.className = tone;
        };
        let events;
        const open = () => {
          if (events) events.close();
          events = new EventSource('/statusz/events?filter=' + encodeURIComponent(byId('filter').value));
          events.addEventListener('status', event => { show(JSON.parse(event.data)); live('live', 'good'); });
          events.addEventListener('beat', () => live('live', 'good'));
          events.addEventListener('full', () => live('too many pages are open, will try again', 'warning'));
          events.onerror = () => live('no connection, will try again', 'bad');
        };
        let later;
        byId('filter').addEventListener('input', () => { clearTimeout(later); later = setTimeout(open, 250); });
        setInterval(() => {
          for (const element of document.querySelectorAll('[data-time]'))
            element.textContent = age(Number(element.dataset.time));
          if (events.readyState === EventSource.CLOSED) open();
        }, 1000);
        open();

        """
}
