#!/usr/bin/env python3
"""Writes what was measured into docs/performance.md, between its marks, and the plots beside it.

    .venv/bin/python benchmarks/report.py FOLDER

FOLDER has what `./bench` measured, each if it did: rows.json (the standard rows), growth.json (curves), peers.json (other
libraries), criterion/ (the benches of the crate). Words outside the marks are left alone.
"""
import json
import math
import os
import re
import sys

import matplotlib
matplotlib.use('Agg')
import matplotlib.pyplot as plt  # noqa: E402

DOCS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'docs')
OURS, THEIRS = '#2a6f97', '#9aa5ab'


def seconds(value):
    for unit, scale in (('s', 1), ('ms', 1e-3), ('µs', 1e-6)):
        if value >= scale:
            return '%.3g %s' % (value / scale, unit)
    return '%.3g ns' % (value / 1e-9)


def times(ratio):
    return '%.1f' % ratio if ratio < 9.95 else '%.0f' % ratio


def table(head, lines):
    marks = ['---'] + ['---:'] * (len(head) - 2) + ['---'] if head[-1] == 'what' else ['---'] + ['---:'] * (len(head) - 1)
    return '\n'.join('| %s |' % ' | '.join(line) for line in [head, marks, *lines])


def nearest_limit(row):
    """The fastest of the limits that were measured with a row: its name, and how many times as long ours took."""
    limits = {name: limit['median'] for name, limit in row['limits'].items() if limit.get('median')}
    name = min(limits, key=limits.get, default=None)
    return (name, row['side']['module']['to_limit'].get(name)) if name else (None, None)


def standard(measured):
    """The table of the standard rows, and where they were measured."""
    lines, ratios = [], []
    for row in measured['rows']:
        ours, theirs = row['side'].get('module'), row['side'].get('base')
        if not ours or not ours['median']:
            lines.append([row['id'], '', '', '', '', row['title'] + ' (not measured)'])
            continue
        name, distance = nearest_limit(row)
        ratio = 1 / row['ratio'] if row.get('ratio') else None
        ratios += [(row['id'], ratio)] if ratio else []
        lines.append([row['id'], seconds(ours['median']), seconds(theirs['median']) if theirs and theirs['median'] else '',
                      times(ratio) if ratio else '', '%.1f %s' % (distance, name) if distance else '', row['title']])
    env = measured['env']
    mean = math.exp(sum(math.log(ratio) for _, ratio in ratios) / len(ratios))
    where = '%s cores, %s; Python %s, h5py %s on HDF5 %s; scale %s. The geometric mean of %d ratios is **%s**.' % (
        env['cpus'], env['machine'], env['python'], env['h5py'], env['hdf5'], env['scale'], len(ratios), times(mean))
    plot_ratios(ratios, env)
    return where + '\n\n' + table(['row', 'hyperslab', 'h5py', 'times faster', 'of the limit', 'what'], lines)


def plot_ratios(ratios, env):
    ratios = sorted(ratios, key=lambda pair: pair[1])
    figure, axes = plt.subplots(figsize=(7, 0.17 * len(ratios) + 1))
    axes.barh([name for name, _ in ratios], [ratio for _, ratio in ratios],
              color=[OURS if ratio >= 1 else '#c1121f' for _, ratio in ratios])
    axes.axvline(1, color='black', linewidth=1)
    axes.set_xscale('log')
    axes.margins(y=0.01)
    axes.tick_params(axis='y', labelsize=6)
    axes.set_xlabel('times as fast as h5py %s (HDF5 %s), %s cores' % (env['h5py'], env['hdf5'], env['cpus']))
    save(figure, 'performance.png')


def growth(series):
    """The table of the curves and their slopes."""
    figure, axes = plt.subplots(figsize=(7, 4.5))
    lines = []
    for curve in series:
        counts, spent = zip(*curve['points'])
        axes.loglog(counts, spent, marker='o', markersize=3, linewidth=1, label=curve['name'])
        lines.append([curve['name'], '%g' % counts[0], '%g' % counts[-1], seconds(spent[0]), seconds(spent[-1]), '%.2f' % curve['slope']])
    axes.set_xlabel('how many')
    axes.set_ylabel('seconds')
    axes.legend(fontsize=6)
    save(figure, 'growth.png')
    image = '![How cost grows](growth.png)\n\n'
    return image + table(['of what', 'from', 'to', 'takes', 'takes then', 'slope'], lines)


def peers(measured):
    """A row a case, a column a library."""
    names = [name for name in measured['versions'] if any(name in row['seconds'] for row in measured['rows'])]
    lines = []
    for row in measured['rows']:
        cells = [seconds(row['seconds'][name]) if name in row['seconds'] else '–' for name in names]
        lines.append([row['case'], *cells])
    head = ['case'] + [('%s %s' % (name, measured['versions'][name])).strip() for name in names]
    why = ['* %s, %s: %s' % (row['case'], name, reason) for row in measured['rows'] for name, reason in row['reasons'].items()]
    what = ['* %s: %s' % (row['case'], row['what']) for row in measured['rows']]
    return table(head, lines) + '\n\n' + '\n'.join(what) + ('\n\nWithout a figure:\n\n' + '\n'.join(why) if why else '')


def criterion(folder):
    """Medians of the benches of the crate."""
    lines = []
    for path, _, files in sorted(os.walk(folder)):
        if os.path.basename(path) == 'new' and 'estimates.json' in files:
            with open(os.path.join(path, 'benchmark.json')) as found:
                name = json.load(found)['full_id']
            with open(os.path.join(path, 'estimates.json')) as found:
                lines.append([name, seconds(json.load(found)['median']['point_estimate'] * 1e-9)])
    return table(['bench', 'median'], lines)


def save(figure, name):
    figure.tight_layout()
    figure.savefig(os.path.join(DOCS, name), dpi=110, metadata={'Software': None})
    plt.close(figure)


def put(text, mark, content):
    """The text with what stands between two marks replaced."""
    pattern = '(<!-- %s: begin -->\n).*?(<!-- %s: end -->)' % (mark, mark)
    changed, count = re.subn(pattern, lambda found: found[1] + content + '\n' + found[2], text, flags=re.S)
    if count != 1:
        sys.exit('docs/performance.md has no marks for %s' % mark)
    return changed


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder, page = sys.argv[1], os.path.join(DOCS, 'performance.md')
    with open(page) as found:
        text = found.read()
    for mark, write in (('rows', standard), ('growth', growth), ('peers', peers)):
        path = os.path.join(folder, mark + '.json')
        if os.path.exists(path):
            with open(path) as found:
                text = put(text, mark, write(json.load(found)))
    if os.path.isdir(os.path.join(folder, 'criterion')):
        text = put(text, 'criterion', criterion(os.path.join(folder, 'criterion')))
    with open(page, 'w') as out:
        out.write(text)


if __name__ == '__main__':
    main()
