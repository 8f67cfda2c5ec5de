#!/usr/bin/env python3
"""page.py STARRYDIFF: the HTML page of two logs of 50,000 lines, in headless Chromium: it opens, shows the first
difference, steps, searches, folds and scrolls without getting slow, and a screenshot has the colours of all that."""
import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zlib

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
LIMIT_MS = 500  # for one step of a reader; far more than it takes, far less than is annoying
# What a reader does, timed by the page itself; the result is left where --dump-dom shows it.
DRIVER = """<script>
const done = {}, spent = done.spent = {}, visible = () => document.querySelectorAll('#rows .row').length;
const timed = (name, f) => { const t = performance.now(); f(); document.body.offsetHeight; spent[name] = performance.now() - t; };
done.opened = performance.now();
done.rows = c.pairs[pair].rows.length; done.all = c.pairs.reduce((n, p) => n + p.rows.length, 0);
done.drawn = visible(); done.first = [pair, at];
timed('next', () => step(1)); done.second = [pair, at];
timed('back', () => step(-1)); done.back = [pair, at];
timed('search', () => { $('search').value = 'packet'; search(1); }); done.found = $('found').textContent; done.marks = document.querySelectorAll('mark').length;
timed('fold', () => { $('fold').checked = false; filter(); }); done.unfolded = shown.length;
timed('only', () => { $('only').checked = true; filter(); }); done.different = shown.length;
timed('all', () => { $('fold').checked = true; $('only').checked = false; $('search').value = ''; filter(); });
timed('scroll', () => { $('rows').scrollTop = 1e9; rows.paint(); }); done.end = visible();
timed('again', () => go(...done.first));
document.body.dataset.done = JSON.stringify(done);
</script>
</html>"""


def chromium():
    """How to call one that works here, or None."""
    for name in ('chromium', 'chromium-browser', 'google-chrome'):
        path = shutil.which(name)
        if path:
            return [path, '--headless', '--disable-gpu', '--no-sandbox', '--no-first-run', '--disable-dev-shm-usage',
                    '--disable-background-networking', '--hide-scrollbars', '--virtual-time-budget=2000']
    return None


def pixels(path):
    """{(red, green, blue): how often} of a PNG with 8 bits per channel."""
    with open(path, 'rb') as f:
        data = f.read()
    at, packed = 8, b''
    while at < len(data):
        size, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b'IHDR':
            width, height, depth, colour = struct.unpack('>IIBB', body[:10])
        elif kind == b'IDAT':
            packed += body
        at += size + 12
    channels = {2: 3, 6: 4}[colour]
    assert depth == 8
    raw, stride, before = zlib.decompress(packed), width * channels, bytearray(width * channels)
    found = {}
    for y in range(height):
        line = raw[y * (stride + 1):(y + 1) * (stride + 1)]
        row, method = bytearray(line[1:]), line[0]
        for i in range(stride if method else 0):
            left, up, corner = (row[i - channels] if i >= channels else 0), before[i], (before[i - channels] if i >= channels else 0)
            if method == 4:
                guess = left + up - corner
                by = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
            else:
                by = (0, left, up, (left + up) // 2)[method]
            row[i] = (row[i] + by) & 255
        for i in range(0, stride, channels):
            found[tuple(row[i:i + 3])] = found.get(tuple(row[i:i + 3]), 0) + 1
        before = row
    return found


def main():
    command = chromium()
    if command is None:
        print('SKIPPED: there is no chromium')
        return 77
    loader = importlib.machinery.SourceFileLoader('bench', os.path.join(HERE, '../../tools/starrydiff/bench'))
    bench = importlib.util.module_from_spec(importlib.util.spec_from_loader('bench', loader))
    loader.exec_module(bench)
    with tempfile.TemporaryDirectory() as scratch:
        def at(name):
            return os.path.join(scratch, name)
        bench.generate(at('a'), 50000, 1, 10000, 0x7f0000000000, False)
        bench.generate(at('b'), 50000, 2, 7, 0x7e0000000000, True)
        if subprocess.run([sys.argv[1], '-q', '--html', at('page.html'), at('a'), at('b')], timeout=60).returncode != 1:
            sys.exit('starrydiff did not find the planted differences')
        with open(at('page.html'), encoding='utf-8') as f:
            page = f.read()
        # Nothing is fetched from anywhere.
        if re.search(r'(src|href)\s*=\s*["\']?(https?:)?//|@import|url\(', page[:page.index('id="data"')]):
            sys.exit('the page refers to the network')
        with open(at('driven.html'), 'w', encoding='utf-8') as f:
            f.write(page.replace('</html>', '') + DRIVER)
        environment = dict(os.environ, HOME=scratch)
        begin = time.monotonic()
        dom = subprocess.run([*command, f'--user-data-dir={at("profile")}', '--window-size=1200,500', '--dump-dom',
                              'file://' + at('driven.html')], capture_output=True, text=True, env=environment, timeout=240)
        took = time.monotonic() - begin
        done = re.search(r'data-done="([^"]*)"', dom.stdout)
        if not done:
            if 'DevTools' not in dom.stderr and not dom.stdout:
                print(f'SKIPPED: chromium does not run here: {dom.stderr.strip()[-300:]}')
                return 77
            sys.exit(f'the page did not run: {dom.stderr[-1000:]}')
        done = json.loads(done.group(1).replace('&quot;', '"'))
        print(f"{done['all']} rows in {len(page) / 1e6:.1f} MB, opened in {done['opened']:.0f} ms ({took:.1f} s with the browser)")
        print('ms:', ', '.join(f'{k} {ms:.0f}' for k, ms in done['spent'].items()))
        wrong = [k for k, ms in done['spent'].items() if ms > LIMIT_MS]
        if done['all'] < 30000 or done['drawn'] < 10 or done['drawn'] > 200 or done['end'] < 5:
            wrong.append('rows')
        if done['first'][1] < 0 or done['second'] == done['first'] or done['back'] != done['first']:
            wrong.append('steps')
        if not re.match('[1-9]', done['found']) or done['marks'] == 0 or not 0 < done['different'] < done['unfolded'] < done['rows']:
            wrong.append('search and filters')
        shot = os.environ.get('STARRY_SCREENSHOT', at('page.png'))
        subprocess.run([*command, f'--user-data-dir={at("profile")}', '--window-size=1200,500', f'--screenshot={shot}',
                        'file://' + at('page.html')], capture_output=True, env=environment, timeout=240)
        seen = pixels(shot)
        # The background, the first difference, folded rows and the chosen thread.
        for what, colour in (('ground', (255, 255, 255)), ('difference', (0xfb, 0xda, 0xda)), ('folded', (0xee, 0xf1, 0xf4)),
                             ('chosen', (0xdc, 0xe8, 0xf7))):
            print(f'{what}: {seen.get(colour, 0)} pixels')
            if seen.get(colour, 0) < 500:
                wrong.append(what)
        if wrong:
            sys.exit(f'wrong: {", ".join(wrong)}: {done}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
