/**
 * The demo shop's language: ?lang=, else the browser's. A classic script in the head, so that the
 * page's language is set before the widget looks at it.
 */

{
  const russian = {
    shop: 'Демо-магазин Pushdesk',
    panel: 'Панель оператора',
    headline: 'Хорошие вещи для спокойного стола',
    lead: 'Здесь ничего не продают. Магазин нужен, чтобы попробовать чат поддержки: нажмите круглую кнопку в углу.',
    cup: 'Чашка для чая',
    cupText: 'Каменная керамика, держит тепло полчаса.',
    lamp: 'Лампа для чтения',
    lampText: 'Тёплый свет, один шарнир, приложение не требуется.',
    book: 'Блокнот',
    bookText: '160 страниц, раскрывается полностью, с ляссе.',
    foot: 'Демонстрационная страница Pushdesk.',
  };

  const wish = new URLSearchParams(location.search).get('lang') ?? navigator.language;
  if (wish.toLowerCase().startsWith('ru')) {
    document.documentElement.lang = 'ru';
    document.addEventListener('DOMContentLoaded', () => {
      document.title = russian.shop;
      for (const node of document.querySelectorAll('[data-text]')) node.textContent = russian[node.dataset.text];
    });
  }
}
